# A compiled model as a library:
#
#   sanc_add_model(TARGET MODEL FILE WEIGHTS FILE [TARGETS NAME...] [BATCH N] [THREADS N]
#                  [PRECISION NAME] [OPTIONS OPTION...])
#
# makes the static library TARGET and the header TARGET.h, which programs find that link TARGET:
#
#   sanc_add_model(digits MODEL digits.json WEIGHTS digits.safetensors)
#   target_link_libraries(program PRIVATE digits)
#
# The words are the options of `sanc compile`, which has the defaults; OPTIONS are further ones.
# FILEs are relative to the folder of the CMakeLists.txt. The names in the header begin with the
# model's own name, as its JSON file says.

# The words of sanc_add_model that `sanc compile` takes as options, in `result`.
function(sanc_model_options result)
    set(options)
    if(model_TARGETS)
        list(JOIN model_TARGETS , targets)
        list(APPEND options --target ${targets})
    endif()
    foreach(word BATCH THREADS PRECISION)
        if(DEFINED model_${word})
            string(TOLOWER ${word} option)
            list(APPEND options --${option} ${model_${word}})
        endif()
    endforeach()
    set(${result} ${options} ${model_OPTIONS} PARENT_SCOPE)
endfunction()

function(sanc_add_model target)
    cmake_parse_arguments(PARSE_ARGV 1 model "" "MODEL;WEIGHTS;BATCH;THREADS;PRECISION"
                          "TARGETS;OPTIONS")
    if(model_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "sanc_add_model: '${model_UNPARSED_ARGUMENTS}' is not known; there are "
                            "MODEL, WEIGHTS, TARGETS, BATCH, THREADS, PRECISION and OPTIONS")
    endif()
    if(NOT TARGET sanc::sanc)
        message(FATAL_ERROR "sanc_add_model: the program sanc is not installed (Debian: sanc)")
    endif()
    foreach(word MODEL WEIGHTS)
        if(NOT model_${word})
            message(FATAL_ERROR "sanc_add_model: ${target} needs ${word} and a file")
        endif()
        cmake_path(ABSOLUTE_PATH model_${word} BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    endforeach()
    # The folder has nothing else in it that an #include could find.
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}.model)
    file(MAKE_DIRECTORY ${folder})
    sanc_model_options(options)
    add_custom_command(
        OUTPUT ${folder}/${target}.o ${folder}/${target}.h
        COMMAND sanc::sanc compile ${model_MODEL} -w ${model_WEIGHTS} -o ${folder}/${target}.o
                ${options}
        DEPENDS ${model_MODEL} ${model_WEIGHTS} sanc::sanc
        COMMENT "Compiling the model ${target}" VERBATIM)
    add_library(${target} STATIC ${folder}/${target}.o ${folder}/${target}.h)
    set_source_files_properties(${folder}/${target}.o PROPERTIES EXTERNAL_OBJECT TRUE
                                                                 GENERATED TRUE)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    list(GET languages 0 language)
    if(C IN_LIST languages)
        set(language C)
    endif()
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE ${language})
    target_include_directories(${target} INTERFACE ${folder})
endfunction()
