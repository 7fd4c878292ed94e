// What generated code may try, and what becomes of it. Each case ends by itself, and says what happened.
#include "eval/sandbox/python_sandbox.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.h"

namespace enigma::eval {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

SandboxLimits QuickLimits() { return {.wall_seconds = 15, .cpu_seconds = 1, .memory_bytes = 256u << 20}; }

class PythonSandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = PythonSandbox::Create(QuickLimits());
    if (absl::IsNotFound(created.status()) || absl::IsFailedPrecondition(created.status())) {
      GTEST_SKIP() << created.status().message();
    }
    ASSERT_TRUE(created.ok()) << created.status();
    sandbox_ = std::make_unique<PythonSandbox>(*std::move(created));
  }

  TestRun Run(const std::string& code, const std::vector<std::string>& tests = {}) const {
    auto run = sandbox_->Run(code, tests);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.ok() ? *std::move(run) : TestRun{};
  }

  std::unique_ptr<PythonSandbox> sandbox_;
};

#define EXPECT_OUTCOME(run, expected) EXPECT_EQ(NameOf((run).outcome), NameOf(RunOutcome::expected)) << (run).detail

TEST_F(PythonSandboxTest, PassesWhatHolds) {
  const auto run =
      Run("import math, datetime, re, decimal, itertools, collections, json, hashlib, random\n"
          "def area(r):\n    return math.pi * r ** 2",
          {"assert area(0) == 0", "assert round(area(1), 2) == 3.14"});
  EXPECT_OUTCOME(run, kPassed);
  EXPECT_THAT(run.detail, IsEmpty());
}

TEST_F(PythonSandboxTest, NamesTheTestThatDoesNotHold) {
  const auto run = Run("def f(x):\n    return x", {"assert f(1) == 1", "assert f(2) == 4", "assert f(3) == 9"});
  EXPECT_OUTCOME(run, kWrong);
  EXPECT_EQ(run.detail, "assert f(2) == 4");
  const auto with_reason = Run("def f(x):\n    return x", {"assert f(2) == 4, f'f(2) is {f(2)}'"});
  EXPECT_OUTCOME(with_reason, kWrong);
  EXPECT_THAT(with_reason.detail, HasSubstr("f(2) is 2"));
}

TEST_F(PythonSandboxTest, TellsNoPythonFromAnErrorAndAnErrorFromAWrongAnswer) {
  EXPECT_OUTCOME(Run("def f(:"), kSyntax);
  EXPECT_OUTCOME(Run("Of course! Here is the function."), kSyntax);
  EXPECT_OUTCOME(Run("def f():\nreturn 1"), kSyntax);
  EXPECT_OUTCOME(Run("exec('def f(:')"), kException);
  EXPECT_OUTCOME(Run("def f(x):\n    return 1 / x", {"assert f(1) == 1", "assert f(0) == 0"}), kException);
  EXPECT_OUTCOME(Run("", {"assert f(1) == 1"}), kException);
  EXPECT_OUTCOME(Run("assert False", {"assert True"}), kException);
}

TEST_F(PythonSandboxTest, NamesTheErrorThatIsRaised) {
  EXPECT_THAT(Run("def f(:").detail, HasSubstr("SyntaxError"));
  EXPECT_THAT(Run("x = 1", {"assert f(1)"}).detail, AllOf(HasSubstr("NameError"), HasSubstr("assert f(1)")));
  EXPECT_THAT(Run("def f():\n    return f()\nf()").detail, HasSubstr("RecursionError"));
  EXPECT_OUTCOME(Run(std::string("x = 1\0y", 7)), kSyntax);
  EXPECT_OUTCOME(Run("\xff\xfe"), kKilled);
}

TEST_F(PythonSandboxTest, CountsNothingThatEndsBeforeItsTests) {
  EXPECT_OUTCOME(Run("raise SystemExit(0)", {"assert False"}), kException);
  EXPECT_OUTCOME(Run("import os\nos._exit(0)", {"assert False"}), kKilled);
  EXPECT_OUTCOME(Run("import os\nos.write(3, b'passed\\n')\nos._exit(0)", {"assert False"}), kKilled);
}

TEST_F(PythonSandboxTest, EndsForks) {
  EXPECT_OUTCOME(Run("import os\nwhile True:\n    try:\n        os.fork()\n    except BaseException:\n        pass"),
                 kForbidden);
  EXPECT_OUTCOME(Run("import subprocess\nsubprocess.run(['/bin/sh', '-c', 'true'])"), kForbidden);
  EXPECT_OUTCOME(Run("import threading\nthreading.Thread(target=print).start()"), kForbidden);
  EXPECT_OUTCOME(Run("import os, sys\nos.execv(sys.executable, ['python3'])"), kForbidden);
}

TEST_F(PythonSandboxTest, EndsWhatKillsItsParent) {
  const std::string self(absl::StrCat(::getpid()));
  for (const std::string& target : {std::string("os.getppid()"), std::string("0"), std::string("-1"), self}) {
    EXPECT_OUTCOME(Run(absl::StrCat("import os\nos.kill(", target, ", 9)")), kForbidden);
  }
}

TEST_F(PythonSandboxTest, EndsSockets) {
  EXPECT_OUTCOME(Run("import socket\ntry:\n    socket.socket()\nexcept OSError:\n    pass"), kForbidden);
  EXPECT_OUTCOME(Run("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:1/')"), kForbidden);
}

TEST_F(PythonSandboxTest, EndsLoops) {
  const absl::Time begun = absl::Now();
  EXPECT_OUTCOME(Run("while True:\n    pass"), kTimeout);
  EXPECT_OUTCOME(Run("def f():\n    while True:\n        try:\n            g()\n        except BaseException:\n"
                     "            pass",
                     {"f()"}),
                 kTimeout);
  EXPECT_LT(absl::Now() - begun, absl::Seconds(60));
}

// The kernel's clock of ticks and the one that tells what was used part by more than a little in so long.
TEST_F(PythonSandboxTest, CallsALongLoopATimeoutAtTheLimitThatIsUsual) {
  auto usual = PythonSandbox::Create();
  ASSERT_TRUE(usual.ok()) << usual.status();
  const auto run = *usual->Run("while True:\n    pass", {});
  EXPECT_OUTCOME(run, kTimeout);
  EXPECT_THAT(run.detail, HasSubstr("computed for more than 5 s"));
}

TEST_F(PythonSandboxTest, EndsWhatWaitsForEver) {
  auto patient = PythonSandbox::Create({.wall_seconds = 2});
  ASSERT_TRUE(patient.ok()) << patient.status();
  EXPECT_OUTCOME(*patient->Run("import time\ntime.sleep(1000)", {}), kTimeout);
  // Without its pipes nobody hears of it.
  EXPECT_OUTCOME(*patient->Run("import os, time\nos.closerange(0, 16)\ntime.sleep(1000)", {}), kTimeout);
}

TEST_F(PythonSandboxTest, EndsWhatTakesAllMemory) {
  EXPECT_OUTCOME(Run("x = []\nwhile True:\n    x.append(bytearray(1 << 20))"), kMemory);
  EXPECT_OUTCOME(Run("x = 10 ** 8 * [0, 1, 2]"), kMemory);
}

TEST_F(PythonSandboxTest, EndsWhatPrintsWithoutEnd) {
  const auto run = Run("while True:\n    print('x' * 1000)");
  EXPECT_OUTCOME(run, kKilled);
  EXPECT_THAT(run.detail, HasSubstr("printed more than 65536 bytes"));
  EXPECT_OUTCOME(Run("print('a few words')"), kPassed);
  EXPECT_OUTCOME(Run("import os\nwhile True:\n    os.write(3, b'x' * 1000)"), kKilled);
}

TEST_F(PythonSandboxTest, TellsOfACrash) {
  const auto run = Run("import ctypes\nctypes.string_at(0)");
  EXPECT_OUTCOME(run, kKilled);
  EXPECT_THAT(run.detail, HasSubstr("signal 11"));
}

TEST_F(PythonSandboxTest, WritesNowhereButInAFolderOfItsOwn) {
  const testing::TemporaryDirectory outside;
  const std::string path = outside.path() + "/made";
  EXPECT_OUTCOME(Run(absl::StrCat("open('", path, "', 'w')")), kException);
  EXPECT_FALSE(std::filesystem::exists(path));
  for (const char* place : {"/x", "/usr/lib/x", "/etc/x", "/tmp/../x"}) {
    EXPECT_OUTCOME(Run(absl::StrCat("open('", place, "', 'w')")), kException);
  }
  EXPECT_OUTCOME(Run("import json, os\nopen(json.__file__, 'a')"), kException);
  EXPECT_OUTCOME(Run("open('/tmp/x', 'w').write('kept')", {"assert open('/tmp/x').read() == 'kept'"}), kPassed);
  EXPECT_OUTCOME(Run("assert not __import__('os').listdir('/tmp')"), kPassed);  // the next one finds nothing of it
  const auto full = Run("for i in range(50):\n    with open(f'/tmp/{i}', 'wb') as f:\n        f.write(bytes(1 << 19))");
  EXPECT_OUTCOME(full, kException);
  EXPECT_THAT(full.detail, HasSubstr("No space left"));
  EXPECT_THAT(Run("open('/tmp/big', 'wb').write(bytes(1 << 22))").detail, HasSubstr("OSError"));
}

TEST_F(PythonSandboxTest, SeesNothingOfTheMachine) {
  ::setenv("ENIGMA_SANDBOX_TEST_SECRET", "hunter2", 1);
  for (const char* path : {"/etc/passwd", "/etc/shadow", "/etc/hosts", "/proc/self/environ", "/proc/1/environ",
                           "/proc/self/status", "/home", "/root/.ssh", "/var/lib", "/sys/class", "/dev/mem"}) {
    const auto run = Run(absl::StrCat("import os\nos.stat('", path, "')"));
    EXPECT_OUTCOME(run, kException);
    EXPECT_THAT(run.detail, AnyOf(HasSubstr("FileNotFoundError"), HasSubstr("PermissionError"))) << path;
  }
  EXPECT_OUTCOME(Run("import os\nassert 'ENIGMA_SANDBOX_TEST_SECRET' not in os.environ"), kPassed);
  EXPECT_OUTCOME(Run("import os\nassert (os.getuid(), os.geteuid(), os.getgid()) == (65534,) * 3"), kPassed);
  EXPECT_OUTCOME(Run("import os\nassert os.getpid() == 1 and os.uname().nodename == 'sandbox'"), kPassed);
  EXPECT_OUTCOME(Run("import os\nassert sorted(os.listdir('/etc')) == ['ld.so.cache']"), kPassed);
  ::unsetenv("ENIGMA_SANDBOX_TEST_SECRET");
}

TEST_F(PythonSandboxTest, HoldsNoDescriptorOfThisProcess) {
  const testing::TemporaryDirectory folder;
  std::ofstream secret(folder.path() + "/secret");
  EXPECT_OUTCOME(Run("import os\ndef held(fd):\n    try:\n        os.fstat(fd)\n    except OSError:\n"
                     "        return False\n    return True",
                     {"assert [fd for fd in range(3000) if held(fd)] == [0, 1, 2, 3]"}),
                 kPassed);
}

TEST_F(PythonSandboxTest, GetsNoPrivileges) {
  for (const char* call : {"ctypes.CDLL(None).unshare(0x10000000)", "ctypes.CDLL(None).mount(0, b'/', 0, 4096, 0)",
                           "ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "os.memfd_create('x')", "os.chroot('/tmp')"}) {
    EXPECT_OUTCOME(Run(absl::StrCat("import ctypes, os\n", call)), kForbidden);
  }
  EXPECT_OUTCOME(Run("import os\nos.setuid(0)"), kException);
  EXPECT_OUTCOME(Run("import resource\nresource.setrlimit(resource.RLIMIT_CPU, (100, 100))"), kException);
  EXPECT_OUTCOME(
      Run("import resource\nsoft, hard = resource.getrlimit(resource.RLIMIT_CPU)", {"assert (soft, hard) == (3, 3)"}),
      kPassed);
}

// In a process of its own, which allows itself no further user namespace.
[[noreturn]] void AskWithoutNamespaces() {
  if (::unshare(CLONE_NEWUSER) != 0) ::_exit(2);
  std::ofstream limit("/proc/sys/user/max_user_namespaces");
  limit << "0" << std::flush;
  if (!limit) ::_exit(3);
  const auto sandbox = PythonSandbox::Create();
  std::fputs(std::string(sandbox.status().message()).c_str(), stderr);
  ::_exit(absl::IsFailedPrecondition(sandbox.status()) ? 0 : 1);
}

TEST_F(PythonSandboxTest, RunsNothingWithoutNamespaces) {
  EXPECT_EXIT(AskWithoutNamespaces(), ::testing::ExitedWithCode(0), "generated code is not run without it");
}

}  // namespace
}  // namespace enigma::eval
