# find_package(sanc [COMPONENTS compiler runtime]): see sanc_add_model.cmake for what to do with it.
#
# compiler: sanc::sanc, the program. runtime: sanc::runtime (static) and sanc::runtime_shared, what
# programs link for threads and GPUs. Either may be installed without the other.
include(CMakeFindDependencyMacro)
set(sanc_compiler_FOUND FALSE)
set(sanc_runtime_FOUND FALSE)
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/sanc-compiler.cmake)
    include(${CMAKE_CURRENT_LIST_DIR}/sanc-compiler.cmake)
    set(sanc_compiler_FOUND TRUE)
endif()
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/sanc-runtime.cmake)
    find_dependency(Threads)
    include(${CMAKE_CURRENT_LIST_DIR}/sanc-runtime.cmake)
    set(sanc_runtime_FOUND TRUE)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/sanc_add_model.cmake)
foreach(component ${sanc_FIND_COMPONENTS})
    if(sanc_FIND_REQUIRED_${component} AND NOT sanc_${component}_FOUND)
        set(sanc_FOUND FALSE)
        set(sanc_NOT_FOUND_MESSAGE
            "'${component}' is not installed; the components are compiler and runtime")
    endif()
endforeach()
