#![no_main]
#![doc = "Feeds [`oauth2_proto_fuzz::device_answer::run`]."]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oauth2_proto_fuzz::device_answer::run(data));
