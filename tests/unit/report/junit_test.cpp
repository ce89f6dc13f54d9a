#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "mlpipe/sys/subprocess.hpp"
#include "report/scribes.hpp"
#include "report/xml.hpp"
#include "support/temp_dir.hpp"
#include "unit/report/support.hpp"

namespace mlpipe::report::test {
namespace {

using mlpipe::test::slurp;
using mlpipe::test::TempDir;
using ::testing::HasSubstr;

// Reads the file with Python's XML parser, checks it against the common JUnit schema's rules, prints what it found.
constexpr const char* k_check = R"(
import sys, xml.etree.ElementTree as ET
allowed = {
  'testsuites': ({'name', 'tests', 'failures', 'errors', 'time'}, {'testsuite'}),
  'testsuite': ({'name', 'tests', 'failures', 'errors', 'skipped', 'time', 'timestamp'}, {'properties', 'testcase'}),
  'properties': (set(), {'property'}),
  'property': ({'name', 'value'}, set()),
  'testcase': ({'name', 'classname', 'time', 'file', 'line'}, {'failure', 'error', 'skipped'}),
  'failure': ({'type', 'message'}, set()),
  'error': ({'type', 'message'}, set()),
  'skipped': ({'message'}, set()),
}
def check(element):
    attributes, children = allowed[element.tag]
    assert set(element.keys()) <= attributes, (element.tag, element.keys())
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        check(child)
root = ET.parse(sys.argv[1]).getroot()
assert root.tag == 'testsuites'
check(root)
suite = root[0]
cases = suite.findall('testcase')
def count(tag): return sum(1 for case in cases if case.find(tag) is not None)
assert int(suite.get('tests')) == len(cases)
assert int(suite.get('failures')) == count('failure'), suite.attrib
assert int(suite.get('errors')) == count('error'), suite.attrib
assert int(suite.get('skipped')) == count('skipped'), suite.attrib
float(suite.get('time'))
for case in cases:
    result = list(case)
    text = ''
    if result:
        text = ' %s %s %r' % (result[0].tag, result[0].get('type'), result[0].get('message'))
    print(case.get('name'), case.get('time') + text)
    if result and result[0].text: print(ascii(result[0].text))
)";

std::string checked(const std::filesystem::path& file) {
  Result<sys::CommandResult> python = sys::run_command({"python3", "-c", k_check, file.string()});
  if (!python) return "python: " + python.error().message;
  return python->ok() ? python->out : "python: " + python->err;
}

struct JunitStage : Stage {
  TempDir folder;
  std::filesystem::path file = folder.path() / "report" / "junit.xml";
  std::vector<Error> errors;
  JunitOptions junit_options() {
    return {.file = file, .clock = clock, .log_path = options().log_path, .on_error = [this](const Error& error) {
              errors.push_back(error);
            }};
  }
};

TEST(JunitReport, HoldsEveryTaskWithItsOutcome) {
  JunitStage stage;
  stage.file = stage.folder.path() / "junit.xml";
  stage.logs = stage.folder.path();
  stage.folder.write("1-2.log", "before\nTraceback <boom> & ]]> \x01\xff end\n");
  FakeRun run(stage.clock, {{"good", 1}, {"bad", 2}, {"after", 1}});
  auto scribe = make_junit_scribe(stage.junit_options());
  run.start(*scribe);
  run.begin("good");
  stage.clock.advance(milliseconds{1500});
  run.run_to("good", TaskState::succeeded, 1, success());
  run.begin("bad");
  run.run_to("bad", TaskState::retry_wait, 1, exit_code(3), milliseconds{0});
  run.begin("bad", 2);
  stage.clock.advance(milliseconds{250});
  AttemptResult result = exit_code(3);
  result.message = "exit code 3: <\"quoted\"> & \x02\xfe";
  result.hint = "look at it";
  run.run_to("bad", TaskState::failed, 2, result);
  run.to("after", TaskState::skipped, 0, "bad failed");
  EXPECT_FALSE(std::filesystem::exists(stage.file));
  run.finish(engine::RunState::failed);
  EXPECT_TRUE(stage.errors.empty());
  EXPECT_EQ(checked(stage.file),
            "good 1.500\n"
            "bad 0.250 failure user_exit 'exit code 3: <\"quoted\"> & \\\\x02\\\\xfe'\n"
            "'exit code 3: <\"quoted\"> & \\\\x02\\\\xfe (attempt 2 of 2)\\nhint: look at it\\nlog: " +
                (stage.folder.path() / "1-2.log").string() +
                "\\nbefore\\nTraceback <boom> & ]]> \\\\x01\\\\xff end\\n'\n"
                "after 0.000 skipped None 'bad failed'\n");
}

TEST(JunitReport, IsWrittenForACancelledRun) {
  JunitStage stage;
  stage.file = stage.folder.path() / "junit.xml";
  FakeRun run(stage.clock, {{"a", 1}, {"b", 1}});
  auto scribe = make_junit_scribe(stage.junit_options());
  run.start(*scribe);
  run.begin("a");
  AttemptResult result;
  result.end = AttemptEnd::cancelled;
  result.message = "stopped: the run was cancelled";
  run.run_to("a", TaskState::cancelled, 1, result);
  run.to("b", TaskState::cancelled, 0, "the run was cancelled");
  run.finish(engine::RunState::cancelled, SIGTERM, "SIGTERM");
  EXPECT_EQ(checked(stage.file),
            "a 0.000 error cancelled 'stopped: the run was cancelled'\n"
            "'stopped: the run was cancelled\\n'\n"
            "b 0.000 skipped None 'the run was cancelled'\n");
}

TEST(JunitReport, IsWrittenForARunThatNeverEnded) {
  JunitStage stage;
  stage.file = stage.folder.path() / "junit.xml";
  FakeRun run(stage.clock, {{"a", 1}, {"b", 1}});
  auto scribe = make_junit_scribe(stage.junit_options());
  run.start(*scribe);
  run.begin("a");
  stage.clock.advance(seconds{2});
  scribe->abandoned(run.story());
  EXPECT_EQ(checked(stage.file),
            "a 2.000 error running 'the run ended before the task did'\n"
            "b 0.000 error waiting 'the run ended before the task did'\n");
}

TEST(JunitReport, SaysWhenItCannotBeWritten) {
  JunitStage stage;
  stage.file = "/dev/null/junit.xml";
  FakeRun run(stage.clock, {{"a", 1}});
  auto scribe = make_junit_scribe(stage.junit_options());
  run.start(*scribe);
  run.finish(engine::RunState::succeeded);
  ASSERT_EQ(stage.errors.size(), 1U);
  EXPECT_THAT(stage.errors[0].message, HasSubstr("writing the JUnit file"));
  EXPECT_THAT(stage.errors[0].message, HasSubstr("/dev/null/junit.xml"));
}

TEST(Xml, ReplacesWhatXmlCannotSay) {
  EXPECT_EQ(xml_attribute("a<b>&\"c\"\n\t"), "a&lt;b&gt;&amp;&quot;c&quot;&#10;&#9;");
  EXPECT_EQ(xml_attribute("\x01|\xff|\xed\xa0\x80|\xef\xbf\xbf|é"), "\ufffd|\ufffd|\ufffd\ufffd\ufffd|\ufffd|é");
  EXPECT_EQ(xml_cdata("a]]>b]]>"), "<![CDATA[a]]]]><![CDATA[>b]]]]><![CDATA[>]]>");
}

}  // namespace
}  // namespace mlpipe::report::test
