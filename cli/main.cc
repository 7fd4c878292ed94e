#include "cli/command_line.h"

int main(int argc, char** argv) { return enigma::cli::RunCommandLine(argc, argv); }
