#pragma once

#include <string>

#include "cli/doctor/finding.h"

namespace enigma::cli {

// Checks of this machine alone; each adds what it finds. None changes anything: ports are bound for a moment and freed.
void CheckCpu(Findings& findings);
void CheckMemory(Findings& findings);
void CheckGpu(Findings& findings);
void CheckDisk(const std::string& data_dir, Findings& findings);
void CheckLimits(Findings& findings);
void CheckInterfaces(Findings& findings);

}  // namespace enigma::cli
