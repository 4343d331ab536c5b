# cpack -G DEB: two packages, `sanc` and `libsanrt-dev`, made of the components of what is installed.
# The preset `deb` builds what goes in.
set(SANC_MAINTAINER "sanc maintainers <maintainers@sanc.example>" CACHE STRING
    "Who answers for the Debian packages: NAME <ADDRESS>")
set(CPACK_PACKAGE_CONTACT ${SANC_MAINTAINER})
set(CPACK_PACKAGE_NAME sanc)
set(CPACK_PACKAGE_VENDOR sanc)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL compiler runtime)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)

set(CPACK_DEBIAN_COMPILER_PACKAGE_NAME sanc)
set(CPACK_DEBIAN_COMPILER_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_COMPILER_PACKAGE_RECOMMENDS "libsanrt-dev (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_COMPILER_DESCRIPTION
    "ahead-of-time compiler for self-attention networks (SAN)
It makes an ELF object and a C header of a trained network, which any C or
C++ program links: no interpreter, no runtime library, no allocation.")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libsanrt-dev)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS "sanc (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/triggers)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
    "threads and GPUs for networks that sanc compiled
Libraries, headers, and what CMake and pkg-config read. A compiled network
needs them only for several threads and for NVIDIA's GPUs.")

# What Debian wants of every package.
foreach(component compiler runtime)
    string(TOUPPER ${component} upper)
    set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/debian/${package})
    configure_file(copyright.in ${folder}/copyright @ONLY)
    configure_file(changelog.in ${folder}/changelog @ONLY)
    execute_process(COMMAND ${GZIP} -9nf ${folder}/changelog COMMAND_ERROR_IS_FATAL ANY)
    install(FILES ${folder}/copyright ${folder}/changelog.gz
            DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component}
            EXCLUDE_FROM_ALL) # cpack alone
endforeach()
include(CPack)
