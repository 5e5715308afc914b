#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(target) = countersign_tests::fuzz::target("frames") {
        (target.run)(input);
    }
});
