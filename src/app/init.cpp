#include "app/init.hpp"

#include <utility>

#include "app/print.hpp"
#include "mlpipe/base/text.hpp"
#include "mlpipe/sys/file.hpp"

namespace mlpipe::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_starter = R"yaml(# A pipeline: tasks, each in a container of its own. Run it:
#   mlpipe run pipeline.yaml
#   mlpipe run pipeline.yaml -p count=1000 -p noise=0.1
name: starter
description: Makes points around a line, then fits a line to them.

parameters:
  count: 200                # the default; `mlpipe run -p count=...` gives another
  noise: {type: Float, default: 0.5, description: How far the points scatter}

defaults:
  retry: {limit: 1}         # each task may be tried once more
  timeout: 10m

tasks:
  make_points:
    image: @IMAGE@
    inputs: {count: Integer, noise: Float}
    outputs: {points: {type: Dataset, path: points.csv}}    # a file, kept in the run's folder under that name
    arguments:
      count: ${{ parameters.count }}
      noise: ${{ parameters.noise }}
    # Inputs and outputs reach a script as environment variables: a parameter's value, an artifact's path.
    script: |
      #!/usr/bin/env python3
      import csv, os, random

      count = int(os.environ["MLPIPE_INPUT_COUNT"])
      noise = float(os.environ["MLPIPE_INPUT_NOISE"])
      random.seed(42)
      with open(os.environ["MLPIPE_OUTPUT_POINTS"], "w", newline="") as file:
          out = csv.writer(file)
          out.writerow(["x", "y"])
          for i in range(count):
              x = 10 * i / count
              out.writerow([x, 3 * x + 2 + random.gauss(0, noise)])
      print(f"made {count} points")

  fit_line:
    image: @IMAGE@
    inputs: {points: Dataset}
    outputs:
      model: {type: Model, path: model.json}
      metrics: Metrics      # a JSON object of numbers; `mlpipe show` lists them
      slope: Float          # an output parameter: its file holds the value
    # Naming another task's output makes this task wait for it. Tasks that do not need each other run side by side.
    arguments:
      points: ${{ tasks.make_points.outputs.points }}
    script: |
      #!/usr/bin/env python3
      import csv, json, os

      with open(os.environ["MLPIPE_INPUT_POINTS"], newline="") as file:
          rows = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
      mean_x = sum(x for x, _ in rows) / len(rows)
      mean_y = sum(y for _, y in rows) / len(rows)
      slope = sum((x - mean_x) * (y - mean_y) for x, y in rows) / sum((x - mean_x) ** 2 for x, _ in rows)
      intercept = mean_y - slope * mean_x
      rmse = (sum((y - slope * x - intercept) ** 2 for x, y in rows) / len(rows)) ** 0.5
      with open(os.environ["MLPIPE_OUTPUT_MODEL"], "w") as file:
          json.dump({"slope": slope, "intercept": intercept}, file)
      with open(os.environ["MLPIPE_OUTPUT_METRICS"], "w") as file:
          json.dump({"rmse": rmse}, file)
      with open(os.environ["MLPIPE_OUTPUT_SLOPE"], "w") as file:
          file.write(str(slope))
      print(f"y = {slope:.3f} x + {intercept:.3f}, rmse {rmse:.3f}")

outputs:
  model: ${{ tasks.fit_line.outputs.model }}
)yaml";

Result<> check_image(const std::string& image) {
  constexpr std::string_view k_allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/:@+[]";
  const bool fine = !image.empty() && image.find_first_not_of(k_allowed) == std::string::npos && image.front() != '-' &&
                    image.front() != '[' && image.front() != '@' && image.back() != ':';
  if (fine) return {};
  return fail_with_hint(ErrorCode::invalid_input, fmt::format("init: \"{}\" is no image reference", printable(image)),
                        fmt::format("it should look like {}", k_default_init_image));
}

}  // namespace

std::string starter_pipeline(const std::string& image) {
  constexpr std::string_view k_mark = "@IMAGE@";
  std::string text(k_starter);
  for (std::size_t at = text.find(k_mark); at != std::string::npos; at = text.find(k_mark, at + image.size())) {
    text.replace(at, k_mark.size(), image);
  }
  return text;
}

Result<fs::path> write_starter(const fs::path& folder, const std::string& image) {
  if (Result<> fine = check_image(image); !fine) return Failure(std::move(fine).error());
  const fs::path file = folder / "pipeline.yaml";
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(file, ignored))) {
    return fail_with_hint(ErrorCode::conflict, fmt::format("init: {} exists and is left as it is", file.string()),
                          "name another folder: mlpipe init my-pipeline");
  }
  if (Result<> made = sys::make_directories(folder); !made) return within("init", std::move(made).error());
  if (Result<> written = sys::write_file_atomically(file, starter_pipeline(image), sys::Durable::no); !written) {
    return within("init", std::move(written).error());
  }
  return file;
}

ExitCode init(const InitCommand& command) {
  const std::string image = command.image.empty() ? std::string(k_default_init_image) : command.image;
  Result<fs::path> file = write_starter(command.folder, image);
  if (!file) return report_error(file.error());
  const std::string quoted = shell_quoted(file->lexically_normal().string());
  print(fmt::format("wrote {}\n\nNext:\n", quoted));
  const std::pair<std::string, std::string_view> steps[] = {{"mlpipe validate " + quoted, "is it right?"},
                                                            {"mlpipe graph " + quoted, "what waits for what?"},
                                                            {"mlpipe run " + quoted, "run it"},
                                                            {"mlpipe show latest", "what came of it"}};
  for (const auto& [line, why] : steps) print(fmt::format("  {:<{}}  # {}\n", line, steps[0].first.size(), why));
  return ExitCode::succeeded;
}

}  // namespace mlpipe::app
