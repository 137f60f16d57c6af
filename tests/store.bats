# What is sent to a host once is kept there, and not sent again.
load helper
setup_file() { fleet_up 2; }
teardown_file() { fleet_down; }
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
    objects=$FORAY_FLEET/hosts/node1/home/.cache/foray/objects
    rm -rf "$FORAY_FLEET"/hosts/node*/home/.cache
    head -c 5000000 /dev/urandom >data
}
# isolated hosts have a home of their own
own_homes() { needs_root; }
count_objects() { find "$1" -type f | wc -l; }
reads_data() {
    cat >foray.yaml <<'END'
hosts: {r: {hosts: node1, slots: 4}}
steps:
  sum:
    each: 1..8
    on: r
    in: data
    out: "{{item}}.sum"
    run: cksum < {{in}} > {{out}}
END
}

@test "an input of many steps is sent once, and every step gets it" {
    own_homes
    reads_data
    "$FORAY" -q
    cksum <data >want
    for n in 1 2 3 4 5 6 7 8; do cmp want $n.sum; done
    [ "$(count_objects "$objects")" = 1 ]
    cmp data "$objects"/*
}

@test "a later run takes what is there, and marks it as used" {
    own_homes
    reads_data
    "$FORAY" -q
    touch -d '2001-01-01' "$objects"/*
    inode=$(stat -c %i "$objects"/*)
    "$FORAY" -q -B
    [ "$(count_objects "$objects")" = 1 ]
    [ "$(stat -c %i "$objects"/*)" = "$inode" ]
    [ "$(date -r "$(echo "$objects"/*)" +%Y)" -gt 2001 ]
    cksum <data | cmp - 3.sum
}

@test "what is damaged there since an earlier run is noticed, and sent again" {
    own_homes
    reads_data
    "$FORAY" -q
    object=$(echo "$objects"/*)
    printf damaged | dd of="$object" bs=1 seek=3000000 conv=notrunc status=none
    run -0 "$FORAY" -B
    [[ $output == *"is not the same here and there"*"what the host had kept of it is not used again"* ]]
    cksum <data >want
    for n in 1 2 3 4 5 6 7 8; do cmp want $n.sum; done
    cmp data "$object"
    # As after a loss of power: the size is there, the bytes are not.
    truncate -s 0 "$object" && truncate -s 5000000 "$object"
    "$FORAY" -q -B
    for n in 1 2 3 4 5 6 7 8; do cmp want $n.sum; done
    cmp data "$object"
    # One that is good is not complained of.
    run -0 "$FORAY" -B
    [[ $output != *"again"* ]]
}

@test "what has changed is sent anew" {
    own_homes
    reads_data
    "$FORAY" -q
    head -c 5000000 /dev/urandom >data
    "$FORAY" -q
    cksum <data | cmp - 8.sum
    [ "$(count_objects "$objects")" = 2 ]
}

@test "a step may write over its input: others get what was sent" {
    own_homes
    cat >foray.yaml <<'END'
hosts: {r: {hosts: node1, slots: 1}}
steps:
  spoil:
    each: 1..3
    on: r
    in: data
    out: "{{item}}.sum"
    run: cksum < {{in}} > {{out}}; echo spoilt > {{in}}
END
    "$FORAY" -q
    cksum <data >want
    for n in 1 2 3; do cmp want $n.sum; done
    cmp data "$objects"/*
}

@test "what goes missing there during a run is sent again" {
    own_homes
    cat >foray.yaml <<'END'
hosts: {r: {hosts: node1, slots: 1}}
steps:
  first: {on: r, in: data, out: 1.sum, run: "cksum < {{in}} > {{out}}; rm ~/.cache/foray/objects/*"}
  second: {on: r, needs: first, in: data, out: 2.sum, run: "cksum < {{in}} > {{out}}"}
END
    "$FORAY" -q
    cksum <data | cmp - 2.sum
}

@test "small files are kept when they are sent for the second time" {
    own_homes
    head -c 100000 data >small && mv small data
    reads_data
    sed -i 's/slots: 4/slots: 1/' foray.yaml
    "$FORAY" -q
    [ "$(count_objects "$objects")" = 1 ]
    cksum <data | cmp - 8.sum
    head -c 100 data >small && mv small data
    "$FORAY" -q
    [ "$(count_objects "$objects")" = 1 ]
}

@test "the cache is bounded: what was of use least lately goes" {
    own_homes
    reads_data
    sed -i 's/slots: 4/slots: 4, cache: 12M/' foray.yaml
    "$FORAY" -q
    first=$(echo "$objects"/*)
    touch -d '2001-01-01' "$first"
    for n in 1 2; do
        head -c 5000000 /dev/urandom >data
        "$FORAY" -q
        cksum <data | cmp - 8.sum
    done
    [ "$(count_objects "$objects")" = 2 ]
    [ ! -e "$first" ]
}

@test "cache: 0 keeps nothing" {
    own_homes
    reads_data
    sed -i 's/slots: 4/slots: 4, cache: 0/' foray.yaml
    "$FORAY" -q
    [ ! -e "$objects" ]
    cksum <data | cmp - 8.sum
}

@test "what a killed foray was sending goes after a day, other files stay" {
    own_homes
    mkdir -p "$objects"
    old=$objects/.foray-0123456789abcdef.tmp young=$objects/.foray-0123456789abcdee.tmp
    touch -d '2 days ago' "$old"
    touch "$young"
    touch -d '2 days ago' "$objects/mine"
    reads_data
    "$FORAY" -q
    [ ! -e "$old" ] && [ -e "$young" ] && [ -e "$objects/mine" ]
}

@test "the host that holds an input gets the next step that reads it" {
    own_homes
    cat >foray.yaml <<'END'
hosts: {r: {hosts: "node[1-2]", slots: 1}}
steps:
  first: {on: node2, in: data, out: 1.sum, run: "cksum < {{in}} > {{out}}"}
  next:
    each: 1..6
    on: r
    needs: first
    limit: one
    in: data
    out: "{{item}}.host"
    run: echo "{{host}}" > {{out}}
limits: {one: 1}
END
    "$FORAY" -q
    [ "$(cat ./*.host | sort -u)" = node2 ]
}

@test "a pool's cache is an amount" {
    echo '{hosts: {r: {hosts: node1, cache: much}}, steps: {a: {on: r, run: "true"}}}' >foray.yaml
    run ! "$FORAY" check
    [[ $output == *'`cache` must be an amount of disk, not `much`'* ]]
}

@test "what stands at a place of its own is replaced whole, and not from what is kept" {
    own_homes
    home=$FORAY_FLEET/hosts/node1/home
    cat >foray.yaml <<'END'
hosts: {r: node1}
steps:
  put: {on: r, send: {data: "/root/place/data"}, in: data, run: "cmp data /root/place/data"}
END
    "$FORAY" -q
    ln "$home/place/data" "$home/old"
    cp data was
    head -c 5000000 /dev/urandom >data
    "$FORAY" -q
    cmp data "$home/place/data"
    cmp was "$home/old"
    rm -r "$home"/{place,old}
}

@test "a host that can keep nothing gets what its steps read all the same" {
    own_homes
    reads_data
    mkdir -p "$FORAY_FLEET/hosts/node1/home/.cache"
    ln -s nowhere "$FORAY_FLEET/hosts/node1/home/.cache/foray"
    "$FORAY" -q
    cksum <data | cmp - 8.sum
}

@test "so does one whose disk is too small for that" {
    own_homes
    [ "$(uname)" = Linux ] || skip "no tmpfs"
    small=$(mktemp -d /dev/shm/foray-small-XXXXXX)
    mount -t tmpfs -o size=1m none "$small" || skip "no disk can be made here"
    export FORAY_FLEET=$BATS_TEST_TMPDIR/fleet
    "$fleet" up 1 3>&-
    eval "$("$fleet" env)"
    ln -s "$small" "$FORAY_FLEET/hosts/node1/home/.cache"
    head -c 30000000 /dev/urandom >data
    reads_data
    run "$FORAY" -v
    "$fleet" down 3>&-
    umount "$small"
    rmdir "$small"
    [ "$status" = 0 ]
    [[ $output != *again* ]]
    cksum <data | cmp - 8.sum
}

@test "an input that changes all the time is not waited for" {
    own_homes
    head -c 200000000 /dev/zero >data
    perl -e 'open F, "+<", "data"; while (-e "data" && getppid != 1) { seek F, 0, 0; syswrite F, rand; select undef, undef, undef, 0.003 }' 3>&- &
    writer=$!
    echo '{hosts: {r: node1}, steps: {size: {on: r, in: data, run: "wc -c <data"}}}' >foray.yaml
    in_background
    ended_with 60 0
    kill "$writer"
    contains out 200000000
}
