# A host that lies: a run ends in time and says why, and nothing that the host does reaches further than the names that were
# asked for, the memory and the disk that they need, and no control character reaches the terminal.
# What it says of files there is in hostile_files.bats. With FORAY_HOSTILE=all also what takes minutes.
load hostile

@test "packets that are none, and those that nobody asked for" {
    lies file fails packet-zero packet-one packet-huge packet-long flood
}

@test "files that cannot be opened, and handles" {
    lies file fails open-close open-escape open-unknown open-ok open-kind
    lies file either handle-long handle-empty
}

@test "answers to what is sent" {
    lies send fails write-close write-escape write-unknown write-kind write-wrong-id close-fails
    lies send either write-twice mkdir-fails
    lies verified fails write-damaged data-damaged
    grep -q 'is not the same here and there' "$count/err" "$((count - 1))/err"
}

@test "sessions that do not begin as they should" {
    of_any fails < <(to "file send" version-close version-text version-short version-extensions)
    of_any either < <(to "file send" "version 2" "version 4" version-many "limits 0" "limits 1" "limits 0xffffffffffffffff")
}

# Four times as much silence is endured from a server as from a host.
@test "an SFTP server that falls silent" {
    { cat "$FORAY_SSH_CONFIG"; printf '  ServerAliveInterval 1\n  ServerAliveCountMax 2\n'; } >config
    export FORAY_SSH_CONFIG=$PWD/config
    within=300 lies any fails "file read-silent" "file open-silent" "file version-silent" "tree dir-silent" "send write-silent" \
        "send version-silent"
}

@test "a silent SFTP server does not keep foray from ending when it is told to" {
    echo open-silent >"$FORAY_FLEET/hosts/node1/home/lie"
    echo honest >"$FORAY_FLEET/hosts/node1/home/shell"
    echo 'hosts: {evil: node1}' >foray.yaml
    echo 'steps: {get: {on: evil, run: "touch ~/ran; echo > evil-file", out: evil-file}}' >>foray.yaml
    in_background
    wait_until 20 test -e "$FORAY_FLEET/hosts/node1/home/ran"
    kill -TERM "$pid"
    ended_with 20 143
}

@test "a pipe, a device, a directory that a step leaves in the place of its output" {
    lies any fails "made:mkfifo,evil-file honest" "made:ln,-s,/dev/zero,evil-file honest" "made:mknod,evil-file,c,1,5 honest" \
        "made:mkdir,evil-file honest" "made:ln,-s,evil-file,evil-file honest" "made:mkfifo,pipe;ln,-s,pipe,evil-file honest"
    lies "made:printf,%0100d,0,>it;ln,-s,it,evil-file" works honest
}

# --- the shell ---

@test "a host that floods its login shell's output does not hold up the others" {
    lies beside works "shell garbage" "shell garbage-ends" "shell endless" "shell endless-line" "shell endless-errors" "shell never" \
        "shell deaf" "shell nonces"
}

@test "a shell that says what it should not before a step runs" {
    lies steps fails "shell garbage-ends" "shell ends" "shell says"
    lies steps works "shell noisy"
    [ "${FORAY_HOSTILE:-}" = all ] || return 0
    within=150 lies steps fails "shell garbage" "shell endless" "shell endless-line" "shell endless-errors" "shell never" "shell deaf" \
        "shell nonces"
}

@test "a host that says strange things of itself" {
    lies steps works "shell cores" "shell no-cores"
    lies file either "shell root /" "shell root /../../.." "shell escaped-root" "shell long-root"
    lies steps either "shell root /" "shell long-root"
}

@test "a shell that says what it should not while a step runs" {
    lies limited fails "shell marks" "shell status x" "shell mark-for-ever" "shell marks-for-ever" "shell loads-for-ever" \
        "shell status 99999999999999999999" "shell status -1" "shell status 256"
}
