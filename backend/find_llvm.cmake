# Finds LLVM, which the backend alone uses: llvm_version, llvm_include, llvm_libdir, llvm_libs.
#
# -DLLVM_DIR=FOLDER names the folder of LLVMConfig.cmake and goes first. Else the newest of
# llvm-config-NN is taken, else llvm-config, as most systems call it. -DSANC_LLVM=19 wants one
# version.
set(SANC_LLVM "" CACHE STRING "LLVM's major version; empty: the newest that is installed")
option(SANC_LLVM_STATIC "Link LLVM into the compiler, so that it starts without libLLVM" OFF)
set(llvm_versions 22 21 20 19)

# Whether a version serves, as 19.1.7.
function(sanc_llvm_serves version result)
    string(REGEX MATCH "^[0-9]+" major "${version}")
    if(major IN_LIST llvm_versions AND (NOT SANC_LLVM OR SANC_LLVM EQUAL major))
        set(${result} TRUE PARENT_SCOPE)
    else()
        set(${result} FALSE PARENT_SCOPE)
    endif()
endfunction()

function(sanc_llvm_ask variable)
    execute_process(COMMAND ${llvm_config} ${ARGN} OUTPUT_VARIABLE answer
                    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    set(${variable} "${answer}" PARENT_SCOPE)
endfunction()

# By llvm-config: of several, the first that serves. Debian's llvm-NN has the program without the
# libraries, which are in llvm-NN-dev.
macro(sanc_llvm_from_program)
    set(link --link-shared)
    if(SANC_LLVM_STATIC)
        set(link --link-static)
    endif()
    foreach(suffix ${SANC_LLVM} ${llvm_versions} any)
        set(names llvm-config-${suffix} llvm-config${suffix} llvm${suffix}-config)
        if(suffix STREQUAL any)
            set(names llvm-config)
        endif()
        find_program(sanc_llvm_config_${suffix} NAMES ${names} HINTS /usr/lib/llvm-${suffix}/bin
                     /usr/lib/llvm${suffix}/bin /usr/lib64/llvm${suffix}/bin)
        mark_as_advanced(sanc_llvm_config_${suffix})
        set(llvm_config ${sanc_llvm_config_${suffix}})
        set(serves FALSE)
        if(llvm_config)
            sanc_llvm_ask(llvm_version --version)
            sanc_llvm_serves(${llvm_version} serves)
        endif()
        if(serves)
            execute_process(COMMAND ${llvm_config} ${link} --libs RESULT_VARIABLE failure
                            OUTPUT_QUIET ERROR_QUIET)
            if(failure)
                message(STATUS "LLVM ${llvm_version} is not taken: ${llvm_config} finds no libraries")
                set(serves FALSE)
            endif()
        endif()
        if(serves)
            break()
        endif()
    endforeach()
    if(NOT serves)
        message(FATAL_ERROR "No LLVM ${SANC_LLVM}: versions 19 to 22 serve (Debian: llvm-19-dev). "
                            "-DLLVM_DIR=FOLDER says where LLVMConfig.cmake is.")
    endif()
    sanc_llvm_ask(llvm_include --includedir)
    sanc_llvm_ask(llvm_libdir --libdir)
    sanc_llvm_ask(llvm_libs ${link} --libs --system-libs
                 x86 nvptx passes orcjit irreader)
    separate_arguments(llvm_libs UNIX_COMMAND "${llvm_libs}")
endmacro()

# By LLVM's own CMake files.
macro(sanc_llvm_from_cmake)
    find_package(LLVM REQUIRED CONFIG)
    set(llvm_version ${LLVM_PACKAGE_VERSION})
    sanc_llvm_serves(${llvm_version} serves)
    if(NOT serves)
        message(FATAL_ERROR "LLVM_DIR: ${LLVM_DIR} has LLVM ${llvm_version}; "
                            "versions 19 to 22 serve, or the one that SANC_LLVM says")
    endif()
    set(llvm_include ${LLVM_INCLUDE_DIRS})
    set(llvm_libdir ${LLVM_LIBRARY_DIRS})
    set(llvm_libs LLVM)
    if(SANC_LLVM_STATIC OR NOT LLVM_LINK_LLVM_DYLIB)
        llvm_map_components_to_libnames(llvm_libs X86 NVPTX passes orcjit irreader)
    endif()
endmacro()

if(LLVM_DIR)
    sanc_llvm_from_cmake()
else()
    sanc_llvm_from_program()
endif()
message(STATUS "LLVM ${llvm_version} (${llvm_include})")
