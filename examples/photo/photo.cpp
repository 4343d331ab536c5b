// The most probable class of each photograph, in C++, and all photographs in one call.
//
//   photo_cpp LABELS.txt FILE.jpg...
#include "network.h"
#include "picture.h"
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

int main(int argc, char **argv)
{
    std::vector<std::string> labels;
    std::ifstream file(argc > 1 ? argv[1] : "");
    for (std::string line; std::getline(file, line);)
        labels.push_back(line);
    if (argc < 3 || labels.size() != DIGITS_CLASSES) {
        std::cerr << "usage: photo_cpp LABELS.txt FILE.jpg..., a label for each of "
                  << DIGITS_CLASSES << " classes\n";
        return 2;
    }
    const std::size_t bytes = DIGITS_HEIGHT * DIGITS_WIDTH * DIGITS_CHANNELS, count = argc - 2;
    std::vector<unsigned char> images(count * bytes);
    for (std::size_t i = 0; i < count; i++)
        if (!picture_read(argv[i + 2], DIGITS_HEIGHT, DIGITS_CHANNELS, &images[i * bytes])) {
            std::cerr << argv[i + 2] << ": cannot be read, or is too small\n";
            return 1;
        }
    DIGITS_ALIGNED static unsigned char workspace[DIGITS_WORKSPACE_BYTES];
    std::vector<float> results(count * DIGITS_CLASSES);
    if (digits_run_images(images.data(), results.data(), count, workspace, nullptr) != SAN_OK) {
        std::cerr << "this processor does not run the network\n";
        return 1;
    }
    for (std::size_t i = 0; i < count; i++) {
        auto begin = results.begin() + i * DIGITS_CLASSES;
        auto best = std::max_element(begin, begin + DIGITS_CLASSES) - begin;
        std::cout << argv[i + 2] << ": " << labels[best] << "\n";
    }
}
