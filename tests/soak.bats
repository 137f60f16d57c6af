# A short one of make soak: all that is looked at there, for some seconds.
load helper

@test "hosts that fail at random, forays that are killed: what comes of it is right, and nothing is left" {
    needs_root
    SOAK_SECONDS=12 timeout 400 "$BATS_TEST_DIRNAME/soak" "$FORAY" || {
        status=$?
        [ $status = 2 ] && skip "no hosts of their own here"
        return 1
    }
}
