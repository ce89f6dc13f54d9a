#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/doctor.hpp"

namespace mlpipe::app {

// The checks that need an image: pulls or finds one, runs a container from it that writes into `scratch`, an empty folder of
// the caller's, and judges what it saw and left there.
void examine_container(const DoctorWorld& world, runner::ContainerEngine& engine, const std::filesystem::path& scratch,
                       const runner::ProgressSink& progress, std::vector<Check>& checks);

}  // namespace mlpipe::app
