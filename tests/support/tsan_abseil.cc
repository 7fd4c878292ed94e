// ThreadSanitizer builds only. Debian's Abseil is not instrumented, so ThreadSanitizer sees none of the order that
// absl::Mutex makes, and would call every guarded variable a race. These definitions take the place of the library's
// (the dynamic linker prefers the program's), call it, and tell the sanitizer what was ordered. gRPC's own locks are
// absl::Mutex too, and so become visible as well.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdlib>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}

namespace {

template <typename Function>
Function Library(const char* symbol) {
  void* found = ::dlsym(RTLD_NEXT, symbol);
  if (found == nullptr) std::abort();  // another Abseil than the one these names were taken from
  return reinterpret_cast<Function>(found);
}

// Inside, Abseil evaluates other waiters' conditions at moments that only it knows to be safe.
class Ignore {
 public:
  Ignore() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Ignore() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
};

}  // namespace

#define ENIGMA_PREFIX "_ZN4absl7debian3"
#define ENIGMA_CONST_PREFIX "_ZNK4absl7debian3"

namespace absl {
inline namespace debian3 {

void Mutex::Lock() {
  static const auto next = Library<void (*)(Mutex*)>(ENIGMA_PREFIX "5Mutex4LockEv");
  {
    const Ignore ignore;
    next(this);
  }
  __tsan_acquire(this);
}

void Mutex::Unlock() {
  static const auto next = Library<void (*)(Mutex*)>(ENIGMA_PREFIX "5Mutex6UnlockEv");
  __tsan_release(this);
  const Ignore ignore;
  next(this);
}

bool Mutex::TryLock() {
  static const auto next = Library<bool (*)(Mutex*)>(ENIGMA_PREFIX "5Mutex7TryLockEv");
  const bool locked = next(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::ReaderLock() {
  static const auto next = Library<void (*)(Mutex*)>(ENIGMA_PREFIX "5Mutex10ReaderLockEv");
  {
    const Ignore ignore;
    next(this);
  }
  __tsan_acquire(this);
}

void Mutex::ReaderUnlock() {
  static const auto next = Library<void (*)(Mutex*)>(ENIGMA_PREFIX "5Mutex12ReaderUnlockEv");
  __tsan_release(this);
  const Ignore ignore;
  next(this);
}

void Mutex::Await(const Condition& condition) {
  static const auto next = Library<void (*)(Mutex*, const Condition&)>(ENIGMA_PREFIX "5Mutex5AwaitERKNS0_9ConditionE");
  __tsan_release(this);
  {
    const Ignore ignore;
    next(this, condition);
  }
  __tsan_acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static const auto next = Library<bool (*)(Mutex*, const Condition&, Duration)>(
      ENIGMA_PREFIX "5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  __tsan_release(this);
  bool met = false;
  {
    const Ignore ignore;
    met = next(this, condition, timeout);
  }
  __tsan_acquire(this);
  return met;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static const auto next = Library<bool (*)(Mutex*, const Condition&, Time)>(
      ENIGMA_PREFIX "5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  __tsan_release(this);
  bool met = false;
  {
    const Ignore ignore;
    met = next(this, condition, deadline);
  }
  __tsan_acquire(this);
  return met;
}

void Mutex::LockWhen(const Condition& condition) {
  static const auto next =
      Library<void (*)(Mutex*, const Condition&)>(ENIGMA_PREFIX "5Mutex8LockWhenERKNS0_9ConditionE");
  {
    const Ignore ignore;
    next(this, condition);
  }
  __tsan_acquire(this);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  static const auto next = Library<bool (*)(Mutex*, const Condition&, Duration)>(
      ENIGMA_PREFIX "5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  bool met = false;
  {
    const Ignore ignore;
    met = next(this, condition, timeout);
  }
  __tsan_acquire(this);
  return met;
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  static const auto next = Library<bool (*)(Mutex*, const Condition&, Time)>(
      ENIGMA_PREFIX "5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  bool met = false;
  {
    const Ignore ignore;
    met = next(this, condition, deadline);
  }
  __tsan_acquire(this);
  return met;
}

void CondVar::Wait(Mutex* mutex) {
  static const auto next = Library<void (*)(CondVar*, Mutex*)>(ENIGMA_PREFIX "7CondVar4WaitEPNS0_5MutexE");
  __tsan_release(mutex);
  {
    const Ignore ignore;
    next(this, mutex);
  }
  __tsan_acquire(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static const auto next = Library<bool (*)(CondVar*, Mutex*, Duration)>(
      ENIGMA_PREFIX "7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  __tsan_release(mutex);
  bool expired = false;
  {
    const Ignore ignore;
    expired = next(this, mutex, timeout);
  }
  __tsan_acquire(mutex);
  return expired;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static const auto next =
      Library<bool (*)(CondVar*, Mutex*, Time)>(ENIGMA_PREFIX "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  __tsan_release(mutex);
  bool expired = false;
  {
    const Ignore ignore;
    expired = next(this, mutex, deadline);
  }
  __tsan_acquire(mutex);
  return expired;
}

// HasBeenNotified is inline and reads a flag that the library sets; the flag is the last member.
static void* FlagOf(const Notification* notification) {
  return const_cast<char*>(reinterpret_cast<const char*>(notification) + sizeof(Mutex));
}

void Notification::Notify() {
  static const auto next = Library<void (*)(Notification*)>(ENIGMA_PREFIX "12Notification6NotifyEv");
  __tsan_release(FlagOf(this));
  next(this);
}

void Notification::WaitForNotification() const {
  static const auto next =
      Library<void (*)(const Notification*)>(ENIGMA_CONST_PREFIX "12Notification19WaitForNotificationEv");
  next(this);
  __tsan_acquire(FlagOf(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static const auto next = Library<bool (*)(const Notification*, Duration)>(
      ENIGMA_CONST_PREFIX "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
  const bool notified = next(this, timeout);
  if (notified) __tsan_acquire(FlagOf(this));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  static const auto next = Library<bool (*)(const Notification*, Time)>(
      ENIGMA_CONST_PREFIX "12Notification31WaitForNotificationWithDeadlineENS0_4TimeE");
  const bool notified = next(this, deadline);
  if (notified) __tsan_acquire(FlagOf(this));
  return notified;
}

// Copies of a status share what they say; the library counts them and the last one frees it.
void Status::UnrefNonInlined(uintptr_t rep) {
  static const auto next = Library<void (*)(uintptr_t)>(ENIGMA_PREFIX "6Status15UnrefNonInlinedEm");
  const Ignore ignore;
  next(rep);
}

}  // namespace debian3
}  // namespace absl
