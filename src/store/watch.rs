//! Stopping SQLite in time. It asks a handler every few thousand steps of a statement, but one `like` is one step however
//! long its text is, so `like` is a function of our own that looks at the clock itself.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant as Clock};

use libsqlite3_sys as ffi;

use super::StoreError;
use super::pattern::{GivenUp, Pattern};

/// Steps of a statement between two looks at the clock.
const STEPS: c_int = 2000;
/// Bytes that are compared between two looks at the clock: well under a millisecond's worth.
const BYTES: usize = 256 * 1024;

/// What the clock of [`Watch`] counts from.
static START: LazyLock<Clock> = LazyLock::new(Clock::now);

/// When the running statement of a SQLite connection must end.
#[derive(Default)]
pub(super) struct Watch {
    /// Microseconds since [`START`]; 0 for never.
    deadline: AtomicU64,
    /// Bytes compared since the last look at the clock.
    compared: AtomicUsize,
}

/// Ends the watch, also when the work panics.
struct Ended<'a>(&'a Watch, NonNull<ffi::sqlite3>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.deadline.store(0, Ordering::Relaxed);
        // SAFETY: the handle outlives this guard; a null callback disables the handler.
        unsafe { ffi::sqlite3_progress_handler(self.1.as_ptr(), 0, None, std::ptr::null_mut()) };
    }
}

impl Watch {
    /// Registers `ostiary_like(pattern, text)` on a connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when SQLite refuses it.
    pub fn over(handle: NonNull<ffi::sqlite3>) -> Result<Arc<Self>, StoreError> {
        let watch = Arc::new(Self::default());
        let own = Arc::into_raw(Arc::clone(&watch)).cast_mut().cast::<c_void>();
        let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_DETERMINISTIC | ffi::SQLITE_DIRECTONLY;
        // SAFETY: the handle is open, the name ends with a zero byte, the function has the documented signature, and
        // SQLite calls `forget_watch` once for `own`, at the latest when the connection closes, also where this fails.
        let result = unsafe {
            ffi::sqlite3_create_function_v2(
                handle.as_ptr(),
                c"ostiary_like".as_ptr(),
                2,
                flags,
                own,
                Some(like),
                None,
                None,
                Some(forget_watch),
            )
        };
        if result == ffi::SQLITE_OK { Ok(watch) } else { Err(StoreError::Unavailable(format!("SQLite took no function: {result}"))) }
    }

    /// Runs `work` with a deadline after which the running statement is stopped. The handle is the one that is watched over.
    pub fn during<T>(&self, handle: NonNull<ffi::sqlite3>, limit: Duration, work: impl FnOnce() -> T) -> T {
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        self.deadline.store(now().saturating_add(limit).max(1), Ordering::Relaxed);
        let pointer = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: `self` is borrowed until after `Ended` has removed the handler that reads it.
        unsafe { ffi::sqlite3_progress_handler(handle.as_ptr(), STEPS, Some(past_deadline), pointer) };
        let ended = Ended(self, handle);
        let result = work();
        drop(ended);
        result
    }

    fn is_over(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline != 0 && now() >= deadline
    }

    /// Whether there is time to compare further, after so many bytes.
    fn goes_on(&self, bytes: usize) -> bool {
        let compared = self.compared.load(Ordering::Relaxed).saturating_add(bytes);
        self.compared.store(if compared < BYTES { compared } else { 0 }, Ordering::Relaxed);
        compared < BYTES || !self.is_over()
    }

    fn matches(&self, pattern: &Pattern, text: &[u8]) -> Result<bool, GivenUp> {
        pattern.matches(text, &mut |bytes| self.goes_on(bytes))
    }
}

fn now() -> u64 {
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
}

unsafe extern "C" fn past_deadline(watch: *mut c_void) -> c_int {
    // SAFETY: set by `during`, which borrows the watch while the handler is installed.
    let watch = unsafe { &*watch.cast::<Watch>() };
    c_int::from(watch.is_over())
}

unsafe extern "C" fn forget_watch(watch: *mut c_void) {
    // SAFETY: the pointer that `Watch::over` took from an Arc, given back once.
    drop(unsafe { Arc::from_raw(watch.cast::<Watch>()) });
}

unsafe extern "C" fn forget_pattern(pattern: *mut c_void) {
    // SAFETY: the pointer that `like` took from a Box, given back once.
    drop(unsafe { Box::from_raw(pattern.cast::<Pattern>()) });
}

/// The bytes of a text, which are UTF-8; nothing for NULL.
///
/// # Safety
/// `value` is an argument of the running function; its bytes are not used after the function has returned.
unsafe fn text_of<'a>(value: *mut ffi::sqlite3_value) -> Option<&'a [u8]> {
    // SAFETY: SQLite keeps the bytes of an argument until the function returns, if it is not asked for another form.
    unsafe {
        let bytes = ffi::sqlite3_value_text(value);
        let length = usize::try_from(ffi::sqlite3_value_bytes(value)).unwrap_or(0);
        (!bytes.is_null()).then(|| slice::from_raw_parts(bytes.cast::<u8>(), length))
    }
}

/// `ostiary_like(pattern, text)`: 1, 0, or NULL where one of them is.
unsafe extern "C" fn like(context: *mut ffi::sqlite3_context, _: c_int, arguments: *mut *mut ffi::sqlite3_value) {
    // SAFETY: SQLite calls this with the two arguments it was registered for and with the watch as its data, which
    // lives as long as the connection.
    unsafe {
        let watch = &*ffi::sqlite3_user_data(context).cast::<Watch>();
        let (Some(pattern), Some(text)) = (text_of(*arguments), text_of(*arguments.add(1))) else {
            ffi::sqlite3_result_null(context);
            return;
        };
        // A pattern that stays the same for all rows is read once.
        let kept = ffi::sqlite3_get_auxdata(context, 0).cast::<Pattern>();
        let found = if kept.is_null() {
            let pattern = Box::new(Pattern::read(&String::from_utf8_lossy(pattern)));
            let found = watch.matches(&pattern, text);
            // SQLite may free it at once, so it is used no more.
            ffi::sqlite3_set_auxdata(context, 0, Box::into_raw(pattern).cast::<c_void>(), Some(forget_pattern));
            found
        } else {
            watch.matches(&*kept, text)
        };
        match found {
            Ok(found) => ffi::sqlite3_result_int(context, c_int::from(found)),
            Err(GivenUp) => {
                // What a statement that the handler stopped says too.
                ffi::sqlite3_result_error(context, c"interrupted".as_ptr().cast::<c_char>(), -1);
                ffi::sqlite3_result_error_code(context, ffi::SQLITE_INTERRUPT);
            }
        }
    }
}
