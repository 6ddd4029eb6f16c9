#!/usr/bin/env bash
# Verifies an evidence pack of drillctl, or a whole archive, without drillctl.
#
#   verify.sh [--signer FINGERPRINT]… [--anchor LINES:DIGEST] [--tsa FILE] [--allowed-signers FILE] PACK
#   verify.sh [--signer FINGERPRINT]… [--anchor LINES:DIGEST] [--tsa FILE] [--allowed-signers FILE] --archive REPORTS
#
# Needs bash 4.4, openssl 3 (1.1.1 does, but for SM2), sha256sum, find and diff; ssh-keygen 8.1 for approvals; no network.
# It only reads. Every failed check is one line: FILE: reason. Exit 0: verified; 1: not; 2: wrong command line.
# What it shows, and what it does not, is in the README beside it and in its last lines.
set -u
shopt -s extglob
export LC_ALL=C TZ=UTC

SLACK_S=60   # a disciplined clock is never set back by more: the same number as in drillctl
LATE_S=604800 # a stamp that comes later than seven days after its run is worth a word
HEX='[0-9a-f]{64}'
NAME='[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*'
NEEDED='run.json journal/events.jsonl plan/plan.json ledger/ledger.jsonl report/report.zh.html report/report.zh.pdf
report/report.en.html report/report.en.pdf'

declare -A ALLOWED=() TOLD=()
NOTES=() FAULTS=0 WHERE='' ANCHOR_SIZE=0 ANCHOR='' AUTHORITY='' PEOPLE='' ARCHIVE='' TARGET=''

fault() { # fault FILE REASON
    printf '%s%s: %s\n' "$WHERE" "$1" "$2"
    FAULTS=$((FAULTS + 1))
}

note() {
    [[ -n ${TOLD[$1]+x} ]] || NOTES+=("$1")
    TOLD[$1]=1
}

wrong() {
    printf 'verify.sh: %s\n' "$1" >&2
    exit 2
}

is_plain() { # a file reached without a link
    local way=$P part
    local -a parts
    IFS=/ read -ra parts <<<"$1"
    for part in "${parts[@]}"; do
        way=$way/$part
        [[ ! -L $way ]] || return 1
    done
    [[ -f $way ]]
}

sha256_of_text() { # sha256_of_text TEXT → DIGEST
    DIGEST=$(printf '%s' "$1" | sha256sum)
    DIGEST=${DIGEST%% *}
}

sha256_of_file() {
    DIGEST=$(sha256sum <"$1")
    DIGEST=${DIGEST%% *}
}

# -- time -----------------------------------------------------------------------------------------------------------

seconds() { # seconds YEAR MONTH DAY HOUR MINUTE SECOND → EPOCH (proleptic Gregorian, UTC)
    local year=$((10#$1)) month=$((10#$2)) day=$((10#$3)) era
    ((month > 2)) || year=$((year - 1))
    era=$((year / 400))
    local of_era=$((year - era * 400)) of_year=$(((153 * ((month + 9) % 12) + 2) / 5 + day - 1))
    local days=$((era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468))
    EPOCH=$((days * 86400 + 10#$4 * 3600 + 10#$5 * 60 + 10#$6))
}

epoch_of() { # epoch_of 2026-11-22T09:26:56.123456+00:00 → EPOCH; fails where it is another form
    [[ $1 =~ ^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(\+00:00|Z)$ ]] || return 1
    seconds "${BASH_REMATCH[@]:1:6}"
}

stamp_time() { # stamp_time REPLY → EPOCH, MOMENT
    local text months=xxJanFebMarAprMayJunJulAugSepOctNovDec before month
    text=$(openssl ts -reply -in "$1" -text 2>/dev/null)
    [[ $text =~ Time\ stamp:\ ([A-Z][a-z]{2})\ +([0-9]+)\ ([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?\ ([0-9]{4})\ GMT ]] ||
        return 1
    local found=("${BASH_REMATCH[@]}")
    before=${months%%"${found[1]}"*}
    month=$(((${#before} + 1) / 3))
    seconds "${found[7]}" "$month" "${found[2]}" "${found[3]}" "${found[4]}" "${found[5]}"
    printf -v MOMENT '%s-%02d-%02dT%s:%s:%sZ' "${found[7]}" "$month" "$((10#${found[2]}))" "${found[@]:3:3}"
}

# -- files ----------------------------------------------------------------------------------------------------------

declare -A THERE LISTED
ORDER=()

look_at_files() {
    local entry kind name
    THERE=()
    while IFS= read -r -d '' entry; do
        kind=${entry%% *} name=${entry#* }
        if [[ $kind == l ]]; then
            fault "$name" 'expected a file or a folder, found a link'
        elif [[ $kind != [fd] ]]; then
            fault "$name" 'expected a file or a folder, found something else (device, pipe or socket)'
        elif ! is_name "$name"; then
            printf -v name '%q' "$name"
            fault "$name" 'expected a name of A-Z a-z 0-9 . _ - only'
        fi
        [[ $kind != f ]] || THERE[$name]=1
    done < <(find "$P" -mindepth 1 -printf '%y %P\0')
    while IFS= read -r -d '' name; do
        fault "$name" 'expected a folder with files, found it empty'
    done < <(find "$P" -mindepth 1 -type d -empty -printf '%P\0')
    ! read_list SHA256SUMS || compare SHA256SUMS '^(SHA256SUMS|SHA256SUMS\.p7s|SHA256SUMS\.p7s\.tsr|SM3SUMS|SM3SUMS\.sm2)$'
    ! read_list EVIDENCE.sha256 ||
        compare EVIDENCE.sha256 '^(report/.*|EVIDENCE\.sha256|SHA256SUMS|SHA256SUMS\.p7s|SHA256SUMS\.p7s\.tsr|SM3SUMS|SM3SUMS\.sm2)$'
    if [[ -e $P/SM3SUMS ]]; then
        ! read_list SM3SUMS || compare SM3SUMS '^(SHA256SUMS\.p7s|SHA256SUMS\.p7s\.tsr|SM3SUMS|SM3SUMS\.sm2)$'
    fi
    for name in $NEEDED; do
        is_plain "$name" || fault "$name" 'expected in every pack, found none'
    done
}

is_name() {
    [[ $1 =~ ^$NAME$ && ! $1 =~ (^|/)\.\.?(/|$) ]]
}

read_list() { # read_list FILE → LISTED, ORDER
    local line last='' number=0
    LISTED=() ORDER=()
    is_plain "$1" || { fault "$1" "expected the list of the pack's files, found none"; return 1; }
    while IFS= read -r line; do
        number=$((number + 1))
        if [[ $line == *$'\r'* ]]; then
            fault "$1" 'expected lines that end with LF, found CR: line ends were converted'
            return 1
        elif [[ ! $line =~ ^($HEX)\ \ ($NAME)$ ]] || ! is_name "${line:66}"; then
            fault "$1" "line $number: expected a digest, two blanks and a name, found something else"
            return 1
        elif [[ ! ${line:66} > $last ]]; then
            fault "$1" "line $number: expected names in order and each once, found ${line:66} after $last"
            return 1
        fi
        last=${line:66}
        LISTED[$last]=${line:0:64}
        ORDER+=("$last")
    done <"$P/$1"
    if [[ -n $line || $number == 0 ]]; then
        fault "$1" 'expected whole lines, found the last one without its end'
        return 1
    fi
}

compare() { # compare LIST PATTERN: what is listed against what is there, but for the pattern
    local name line digest
    local -a both=()
    for name in "${ORDER[@]}"; do
        if [[ -z ${THERE[$name]+x} || $name =~ $2 ]]; then
            fault "$name" "listed in $1, not in the pack"
        else
            both+=("./$name")
        fi
    done
    for name in "${!THERE[@]}"; do
        [[ -n ${LISTED[$name]+x} || $name =~ $2 ]] || fault "$name" "in the pack, not listed in $1"
    done
    ((${#both[@]})) || return
    while IFS= read -r line; do
        digest=${line:0:64} name=${line:68}
        [[ $digest == "${LISTED[$name]}" ]] || changed "$name" "$1"
    done < <(digests "$1" "${both[@]}")
}

digests() { # digests LIST FILES…: DIGEST, two characters, ./NAME
    cd "$P" || exit
    if [[ $1 == SM3SUMS ]]; then
        openssl dgst -sm3 -r "${@:2}"
    else
        sha256sum "${@:2}"
    fi
}

changed() { # changed NAME LIST
    local content
    if [[ $2 != SM3SUMS ]]; then
        IFS= read -r -d '' content <"$P/$1"
        sha256_of_text "${content//$'\r\n'/$'\n'}"
        if [[ $DIGEST == "${LISTED[$1]}" ]]; then
            fault "$1" "changed since it was listed in $2: its line ends were converted to CRLF"
            return
        fi
    fi
    fault "$1" "changed since it was listed in $2"
}

# -- signatures -----------------------------------------------------------------------------------------------------

OWN_STORE='-no-CApath'
[[ $(openssl version) == 'OpenSSL 1.'* ]] || OWN_STORE="$OWN_STORE -no-CAstore"

fingerprint() { # fingerprint FILE → DIGEST of its first certificate
    local text
    text=$(openssl x509 -in "$1" -noout -fingerprint -sha256 2>/dev/null) || return 1
    text=${text#*=}
    text=${text//:/}
    DIGEST=${text,,}
}

subject() { # subject FILE → WHO
    WHO=$(openssl x509 -in "$1" -noout -subject -nameopt RFC2253,-esc_msb,utf8 2>/dev/null)
    WHO=${WHO#subject=}
}

is_internal() {
    [[ $WHO == *OU=drillctl\ internal* ]]
}

signers() { # signers SIGNATURE DATA → SIGNERS (fingerprints); fails where it does not fit the data
    local text block
    SIGNERS=()
    text=$(openssl cms -verify -binary -noverify -inform DER -in "$1" -content "$2" -signer /dev/stdout -out /dev/null \
        2>/dev/null) || return 1
    while [[ $text == *-----END\ CERTIFICATE-----* ]]; do
        block=${text%%-----END CERTIFICATE-----*}-----END\ CERTIFICATE-----
        text=${text#*-----END CERTIFICATE-----}
        fingerprint <(printf '%s\n' "$block") && SIGNERS+=("$DIGEST")
    done
    ((${#SIGNERS[@]}))
}

look_at_seal() { # → STAMPED_AT (epoch, or empty), SIGNER
    STAMPED_AT='' SIGNER=''
    local certificate=certificates/signer.pem authority=$AUTHORITY
    if [[ ! -f $P/SHA256SUMS.p7s || ! -f $P/SHA256SUMS ]]; then
        fault SHA256SUMS.p7s 'expected a signature of SHA256SUMS, found none: the pack is not signed (yet)'
        return
    fi
    [[ -n $authority || ! -f $P/certificates/tsa.pem ]] || authority=$P/certificates/tsa.pem
    ! look_at_stamp SHA256SUMS.p7s.tsr SHA256SUMS.p7s "$authority" || STAMPED_AT=$EPOCH
    if [[ ! -f $P/$certificate ]]; then
        fault "$certificate" 'expected the certificate of who signed, found none'
    elif ! fingerprint "$P/$certificate"; then
        fault "$certificate" 'expected a certificate (PEM), found what cannot be read as one'
    else
        SIGNER=$DIGEST
        look_at_signature "$certificate"
    fi
    [[ ! -e $P/SM3SUMS ]] || look_at_sm2
}

look_at_signature() {
    local when='now, and no stamp says that it signed earlier' text chain=$P/certificates/chain.pem
    local -a time=()
    if ! signers "$P/SHA256SUMS.p7s" "$P/SHA256SUMS"; then
        fault SHA256SUMS.p7s 'expected a signature of this SHA256SUMS, found another'
        return
    elif [[ ${SIGNERS[*]} != "$SIGNER" ]]; then
        fault SHA256SUMS.p7s "expected one signature, by $1 ($SIGNER), found: ${SIGNERS[*]}"
        return
    fi
    [[ -f $chain ]] || chain=$P/$1
    if [[ -n $STAMPED_AT ]]; then
        time=(-attime "$STAMPED_AT") when="at the time of the stamp ($MOMENT)"
    fi
    # shellcheck disable=SC2086 - options
    text=$(openssl verify $OWN_STORE -partial_chain -CAfile "$chain" "${time[@]}" "$P/$1" 2>&1) ||
        fault "$1" "expected a certificate that is valid $when, found: $(lookup "$text")"
    if ((${#ALLOWED[@]})) && [[ -z ${ALLOWED[$SIGNER]+x} ]]; then
        fault "$1" "expected the signer ${!ALLOWED[*]}, found $SIGNER"
    fi
    subject "$P/$1"
    note "signed by $WHO, certificate sha256 $SIGNER"
    ! is_internal || note 'the signing certificate is a local one for rehearsals (internal): nobody vouches for its holder'
    ((${#ALLOWED[@]})) || note 'no --signer was given: the pack is checked against the certificate that it brings itself, which shows that nothing was changed since, not who holds the certificate; compare the fingerprint with the one that the firm has published'
}

lookup() { # the line of openssl verify that tells why
    local line
    while IFS= read -r line; do
        [[ $line != *' lookup: '* ]] || { printf '%s' "${line##*lookup: }"; return; }
    done <<<"$1"
    printf '%s' "${1##*$'\n'}"
}

look_at_stamp() { # look_at_stamp STAMP OF AUTHORITY → EPOCH, MOMENT; fails where there is no right one
    if [[ ! -f $P/$1 ]]; then
        note "$2 has no time stamp: when it was made is the firm's own word"
        return 1
    elif [[ -z $3 ]]; then
        fault "$1" 'expected certificates/tsa.pem to say whose stamp it is, found none'
        return 1
    elif ! stamp_time "$P/$1"; then
        fault "$1" 'expected a granted time stamp (RFC 3161), found something else'
        return 1
    elif ! openssl ts -verify -in "$P/$1" -data "$P/$2" -CAfile "$3" -partial_chain -attime "$EPOCH" >/dev/null 2>&1; then
        fault "$1" "expected a stamp of this $2 by that authority, found another"
        return 1
    fi
    local at=$EPOCH moment=$MOMENT kind=''
    subject "$3"
    ! is_internal || kind=" (internal: the firm's own clock)"
    note "$2 was stamped at $moment by $WHO$kind"
    EPOCH=$at MOMENT=$moment
}

look_at_sm2() {
    local certificate=certificates/sm2.pem
    if [[ ! -f $P/SM3SUMS.sm2 ]]; then
        note 'SM3SUMS has no SM2 signature yet'
    elif [[ ! -f $P/$certificate ]]; then
        fault "$certificate" 'expected the certificate of who signed, found none'
    elif ! openssl dgst -sm3 -sigopt distid:1234567812345678 -verify <(openssl x509 -in "$P/$certificate" -noout -pubkey) \
        -signature "$P/SM3SUMS.sm2" "$P/SM3SUMS" >/dev/null 2>&1; then
        fault SM3SUMS.sm2 "expected an SM2 signature of this SM3SUMS by $certificate, found another"
    else
        subject "$P/$certificate"
        note "SM3SUMS is signed with SM2 by $WHO"
    fi
}

# -- what the files say ---------------------------------------------------------------------------------------------

declare -A SAID

# run.json is written with one key a line, sorted, two blanks of indent: that is what is read here, and no other form.
read_record() { # → SAID[key] and SAID[section.key], raw values; PLAN, the plan as canonical JSON
    local line depth key value section='' object=0 rest comma
    local -a within=(0) lines
    local -A seen=()
    SAID=() PLAN=''
    mapfile -t lines <"$P/run.json"
    for line in "${lines[@]}"; do
        rest=${line#"${line%%[! ]*}"}
        depth=$(((${#line} - ${#rest}) / 2)) value=${rest%,} key=''
        if [[ $rest == \"*\":\ * && ${rest%%\":\ *} != *\\ ]]; then
            key=${rest%%\":\ *}
            key=${key#\"} value=${rest#*\":\ }
            value=${value%,}
            if [[ -n ${seen[${within[depth]-}/$key]+x} ]]; then
                fault run.json "expected JSON with each key once, found: key '$key' twice"
                return
            fi
            seen[${within[depth]-}/$key]=1
        fi
        case $value in
        '{' | '[') within[depth + 1]=$((++object)) ;;
        '}' | ']' | true | false | null) ;;
        *[\\]*) is_value "$value" || break ;;
        \"*[\"]*\") break ;;
        \"*\" | '{}' | '[]') ;;
        [-0-9]*) [[ $value != *[!-+.0-9eE]* ]] || break ;;
        *) break ;;
        esac
        if [[ $section == plan && ($depth != 1 || -z $key) && $depth != 0 ]]; then
            comma=''
            [[ $depth == 1 || $rest != *, ]] || comma=,
            PLAN+=${key:+\"$key\":}$value$comma
        elif [[ $key == plan && $depth == 1 ]]; then
            PLAN=$value
        fi
        if [[ -n $key && $depth == 1 ]]; then
            section=$key SAID[$key]=$value
        elif [[ -n $key && $depth == 2 ]]; then
            SAID[$section.$key]=$value
        fi
        line=''
    done
    [[ -z $line ]] || fault run.json 'expected sorted keys, two blanks of indent and LF, found another form'
}

is_value() { # a string with backslashes in it, and no bare quotes
    local text=${1:1:${#1}-2}
    [[ $1 == \"*\" ]] || return 1
    text=${text//'\\'/}
    text=${text//'\"'/}
    [[ $text != *\"* ]]
}

EVENT_HEAD='^(\{"at":"([^"]*)","attempt":(null|[0-9]+),"data":\{.*\}),"digest":"('$HEX')"(,"kind":"([a-z_]+)"'
EVENT=$EVENT_HEAD',"previous":"('$HEX')","run":"([^"]*)","seq":([0-9]+),"step":(null|"[^"]*")\})$'
LINE='^(\{"at":"([^"]*)","data":\{.*\}),"digest":"('$HEX')"(,"kind":"([a-z.]+)","previous":"('$HEX')","seq":([0-9]+)\})$'
GENESIS=0000000000000000000000000000000000000000000000000000000000000000

text_of() { # text_of KEY: a JSON string as it stands, without its quotes
    local value=${SAID[$1]-}
    value=${value#\"}
    printf '%s' "${value%\"}"
}

look_at_events() { # → EVENTS (how many), EVENT_END, FIRST_ACT, LAST_AT
    local line number=0 previous=$GENESIS kind='' run others='' body found
    EVENTS=0 EVENT_END=$GENESIS FIRST_ACT='' LAST_AT='' OPENED_PLAN='' OPENING='' OPENED_AT=''
    local name=journal/events.jsonl
    is_plain "$name" || return
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        if [[ ! $line =~ $EVENT ]]; then
            fault "$name:$number" 'expected canonical JSON (sorted keys, no blanks), found another form'
            return
        fi
        found=("${BASH_REMATCH[@]}")
        if [[ ${found[9]} != "$number" || ${found[7]} != "$previous" ]]; then
            fault "$name:$number" "expected event $number to follow the one before it, found a gap: something was removed, added or moved"
            return
        fi
        body=${found[1]}${found[5]}
        sha256_of_text "$previous$body"
        if [[ ${found[4]} != "$DIGEST" ]]; then
            fault "$name:$number" 'expected the digest of its content, found another: the event was changed'
            return
        fi
        previous=$DIGEST kind=${found[6]} run=${found[8]} LAST_AT=${found[2]}
        [[ $run == "$RUN" ]] || others=$run
        if ((number == 1)); then
            [[ $kind == opened ]] || fault "$name:1" "expected the opening of the run, found $kind"
            only_value plan_digest "$line" && OPENED_PLAN=$VALUE
            OPENING=$line OPENED_AT=${found[2]}
        fi
        [[ -n $FIRST_ACT || $kind == @(opened|state|note|message) ]] || FIRST_ACT="$number $kind ${found[2]}"
    done <"$P/$name"
    EVENTS=$number EVENT_END=$previous
    [[ -z $others ]] || fault "$name" "expected events of run $RUN, found some of $others"
    [[ $kind == closed ]] || fault "$name" "expected a run that is closed, found its last event to be ${kind:-none}"
    [[ "$EVENTS $EVENT_END" == "${SAID[journal.events]-} $(text_of journal.head)" ]] ||
        fault "$name" "expected ${SAID[journal.events]-} events that end in $(text_of journal.head), as run.json says, found $EVENTS that end in $EVENT_END"
}

only_value() { # only_value KEY LINE → VALUE; fails where the key is not there exactly once with a text
    local pattern="\"$1\":\"([^\"]*)\"" rest
    [[ $2 =~ $pattern ]] || return 1
    VALUE=${BASH_REMATCH[1]}
    rest=${2#*"${BASH_REMATCH[0]}"}
    [[ ! $rest =~ $pattern ]]
}

read_ledger() { # read_ledger FILE NAME → LEDGER (raw lines), AT, KIND, END (digests); a fault ends it
    local line number=0 previous=$GENESIS last='' found
    local -A opened=()
    LEDGER=() AT=() KIND=() END=()
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        if [[ $line == *$'\r'* ]]; then
            fault "$2:$number" 'expected lines that end with LF only, found CR (the file was converted)'
            return 1
        elif [[ ! $line =~ $LINE ]]; then
            fault "$2:$number" 'expected canonical JSON (sorted keys, no blanks), found another form'
            return 1
        fi
        found=("${BASH_REMATCH[@]}")
        if [[ ${found[7]} != "$number" ]]; then
            fault "$2:$number" "expected number $number, found ${found[7]}: a line was removed, added or moved"
            return 1
        elif [[ ${found[6]} != "$previous" ]]; then
            fault "$2:$number" "expected to follow $previous, found ${found[6]}: a line before it was changed, removed or moved"
            return 1
        fi
        sha256_of_text "$previous${found[1]}${found[4]}"
        if [[ ${found[3]} != "$DIGEST" ]]; then
            fault "$2:$number" 'expected the digest of its content, found another: the line was changed'
            return 1
        fi
        if [[ ${found[2]} < $last ]]; then
            fault "$2:$number" "expected a time after line $((number - 1)) ($last), found ${found[2]}"
        fi
        if [[ ${found[5]} == run.opened ]] && only_value run "$line"; then
            [[ -z ${opened[$VALUE]+x} ]] || fault "$2:$number" "expected run $VALUE to be opened once, found it opened again"
            opened[$VALUE]=1
        fi
        previous=$DIGEST last=${found[2]}
        LEDGER+=("$line") AT+=("${found[2]}") KIND+=("${found[5]}") END+=("$DIGEST")
    done <"$1"
}

# A pack's ledger that is the beginning of the archive's, line for line, has been read already.
read_copy() {
    local name=ledger/ledger.jsonl
    is_plain "$name" || return 1
    mapfile -t LEDGER <"$P/$name"
    local size=${#LEDGER[@]}
    if ((size && size <= ${#BOOK[@]})) && diff -q <(printf '%s\n' "${BOOK[@]:0:size}") "$P/$name" >/dev/null; then
        AT=("${BOOK_AT[@]:0:size}") KIND=("${BOOK_KIND[@]:0:size}") END=("${BOOK_END[@]:0:size}")
    else
        read_ledger "$P/$name" "$name"
    fi
}

look_at_place() { # the run's own opening is the last line of the pack's ledger
    local name=ledger/ledger.jsonl last opened
    ((${#LEDGER[@]})) || return
    last=$((${#LEDGER[@]} - 1))
    if [[ ${KIND[last]} != run.opened ]] || ! only_value run "${LEDGER[last]}" || [[ $VALUE != "$RUN" ]]; then
        fault "$name" "expected its last line to open run $RUN, found ${KIND[last]} ${VALUE-}"
        return
    fi
    [[ "$(text_of ledger.digest) ${SAID[ledger.seq]-}" == "${END[last]} $((last + 1))" ]] ||
        fault run.json "expected its place on the ledger to be line $((last + 1)), found another"
    only_value plan_digest "${LEDGER[last]}" && opened=$VALUE
    [[ ${opened-} == "$(text_of plan_digest)" && ${opened-} == "$OPENED_PLAN" ]] ||
        fault "$name" "expected the plan $(text_of plan_digest), found the run opened with another plan"
    [[ ${LEDGER[last]} == *"\"simulated\":${SAID[simulated]-}"* ]] ||
        fault "$name" "expected simulated ${SAID[simulated]-}, as run.json says, found it opened as another"
    look_at_opening "${AT[last]}"
}

look_at_opening() {
    local number kind at opened
    [[ -n $FIRST_ACT ]] && epoch_of "$1" || return
    opened=$EPOCH
    read -r number kind at <<<"$FIRST_ACT"
    if epoch_of "$at" && ((EPOCH < opened - SLACK_S)); then
        fault "journal/events.jsonl:$number" "expected nothing done before the run was opened on the ledger ($1), found $kind at $at"
    fi
}

look_at_contents() {
    RUN=''
    SAID=() LEDGER=()
    if is_plain run.json; then
        read_record
        sha256_of_text "$PLAN"
        [[ $DIGEST == "$(text_of plan_digest)" ]] ||
            fault run.json "expected its plan to have the digest $(text_of plan_digest), found another plan"
    fi
    RUN=$(text_of run)
    look_at_events
    if [[ -n $STAMPED_AT && -n $LAST_AT ]] && epoch_of "$LAST_AT" && ((STAMPED_AT < EPOCH - SLACK_S)); then
        fault journal/events.jsonl "expected its last event before the stamp, found $LAST_AT"
    fi
    look_at_plan
    ! read_copy || look_at_place
    if ((ANCHOR_SIZE > ${#LEDGER[@]})) && [[ -z $ARCHIVE ]]; then
        note "the anchor (line $ANCHOR_SIZE) is younger than this pack's ledger: only the archive can be held to it"
    elif ((ANCHOR_SIZE)) && [[ -z $ARCHIVE && ${END[ANCHOR_SIZE - 1]-} != "$ANCHOR" ]]; then
        fault "ledger/ledger.jsonl:$ANCHOR_SIZE" "expected the digest $ANCHOR, as the anchor says, found another"
    fi
    [[ ${SAID[simulated]-} != true ]] || note 'a rehearsal on the twin (simulated): it never counts as a drill held'
}

look_at_plan() { # plan.json is canonical JSON: its digest is that of its bytes, but for a last line end
    local content
    is_plain plan/plan.json || return
    IFS= read -r -d '' content <"$P/plan/plan.json"
    sha256_of_text "${content%$'\n'}"
    [[ $DIGEST == "$(text_of plan_digest)" ]] ||
        fault plan/plan.json "expected the plan with digest $(text_of plan_digest), as run.json says, found $DIGEST"
}

STATEMENT='^\{"at":"([^"]*)","by":"([a-z0-9-]+)","drill":"[^"]*","kind":"([a-z-]+)","mode":"[a-z]+","not_after":"([^"]*)","plan":"('$HEX')","reason":'
PERMIT='"operator":"([a-z0-9-]+)","requested_by":"([a-z0-9-]+)"'

# What people have signed before a run on the production path. Roles and the window are for drillctl's own verifier.
look_at_statements() {
    local path name content said='' by kind at until opened operator requested approved='' started='' moment
    local allowed=$PEOPLE file=people/statements
    [[ $PLAN == *'"mode":"drill"'* || $PLAN == *'"mode":"incident"'* ]] || return
    [[ -n $allowed ]] || allowed=$P/$file/allowed_signers
    if [[ ! $OPENING =~ $PERMIT ]]; then
        fault journal/events.jsonl:1 'expected why the run was allowed to begin, found none'
        return
    fi
    operator=${BASH_REMATCH[1]} requested=${BASH_REMATCH[2]}
    epoch_of "$OPENED_AT" || return
    opened=$EPOCH moment=${OPENED_AT:0:19}
    moment=${moment//[-:T]/}
    if ! command -v ssh-keygen >/dev/null; then
        if [[ -n $PEOPLE ]]; then
            fault $file 'expected ssh-keygen to check the signatures of people with, found none'
        else
            note 'ssh-keygen is not here: the signatures of people were not checked'
        fi
    fi
    for path in "$P/$file"/*.json; do
        [[ -f $path ]] || continue
        name=${path#"$P"/}
        IFS= read -r -d '' content <"$path"
        if [[ ! $content =~ $STATEMENT ]]; then
            fault "$name" 'expected a statement in canonical JSON, found another form'
            continue
        fi
        at=${BASH_REMATCH[1]} by=${BASH_REMATCH[2]} kind=${BASH_REMATCH[3]} until=${BASH_REMATCH[4]}
        [[ ${BASH_REMATCH[5]} == "$(text_of plan_digest)" ]] || fault "$name" 'expected a statement about the plan of this run, found another'
        [[ $OPENING == *"\"file\":\"${name##*/}\""* ]] || fault "$name" 'expected a statement that the journal names, found another'
        if ! { epoch_of "$at" && ((EPOCH <= opened + SLACK_S)) && epoch_of "$until" && ((opened <= EPOCH)); }; then
            fault "$name" "expected it to count when the run was opened ($OPENED_AT), found $at to $until"
        fi
        if command -v ssh-keygen >/dev/null && ! ssh-keygen -Y verify -q "-Overify-time=${moment}Z" -f "$allowed" \
            -I "$by" -n "drillctl-$kind" -s "$path.sig" <"$path" >/dev/null 2>&1; then
            fault "$name" "expected a signature by $by with a key that was allowed, found another"
        fi
        case $kind in
        approve)
            approved=1
            if [[ $by == "$operator" || $by == "$requested" ]]; then
                fault "$name" "expected an approval by somebody else, found that $by asked for the plan or operates it"
            fi
            ;;
        break-glass) [[ $PLAN != *'"mode":"incident"'* || $by != "$operator" ]] || approved=1 ;;
        start) [[ $by != "$operator" ]] || started=1 ;;
        esac
        said+=" $kind by $by,"
    done
    [[ -n $approved ]] || fault $file 'expected an approval of a run on the production path, found none'
    [[ -n $started ]] || fault $file "expected a start signed by $operator, who operated it, found none"
    [[ -z $said ]] || note "signed by people before it began:${said%,}"
    [[ -n $PEOPLE ]] || note 'no --allowed-signers was given: the signatures of people are checked against the keys that the pack brings; compare them with those that the firm has published'
}

look_at_reports() {
    local language content evidence=''
    if is_plain EVIDENCE.sha256; then
        sha256_of_file "$P/EVIDENCE.sha256"
        evidence=$DIGEST
    fi
    for language in zh en; do
        if [[ -n $evidence ]] && is_plain "report/report.$language.html"; then
            IFS= read -r -d '' content <"$P/report/report.$language.html"
            [[ $content == *"$evidence"* ]] ||
                fault "report/report.$language.html" "expected the sha256 of EVIDENCE.sha256 in it ($evidence), found none: it reports other evidence"
        fi
        ! is_plain "report/report.$language.pdf" || look_at_pdf "report/report.$language.pdf"
    done
}

# The signature inside a PDF is for its reader to check; here only that nothing was added after it.
look_at_pdf() {
    local line size count=0 covered='' pattern='/ByteRange *\[ *([0-9]+) +([0-9]+) +([0-9]+) +([0-9]+) *\]'
    local -a lines
    mapfile -t lines <"$P/$1"
    for line in "${lines[@]}"; do
        while [[ $line == */ByteRange* && $line =~ $pattern ]]; do
            count=$((count + 1)) covered="${BASH_REMATCH[1]} $((10#${BASH_REMATCH[3]} + 10#${BASH_REMATCH[4]}))"
            line=${line#*"${BASH_REMATCH[0]}"}
        done
    done
    size=$(find "$P/$1" -printf '%s')
    if ((count == 0)); then
        note "$1 has no signature of its own; the pack's covers it"
    elif ((count > 1)); then
        fault "$1" "expected one signature, found $count: it was changed after it was signed"
    elif [[ $covered != "0 $size" ]]; then
        fault "$1" 'expected its signature to cover the whole file, found more: it was changed after that'
    fi
}

look_at_pack() { # look_at_pack FOLDER
    P=$1
    look_at_files
    look_at_seal
    look_at_contents
    look_at_statements
    look_at_reports
}

# A name from the ledger is never part of an arithmetic expression: bash would carry out what stands in it.
# -- the archive ----------------------------------------------------------------------------------------------------

BOOK=() BOOK_AT=() BOOK_KIND=() BOOK_END=()
declare -A OPENED CLOSED SEALED LATER DELETED PACKS

look_at_archive() {
    local book=ledger/ledger.jsonl run number pack
    P=$TARGET
    [[ -f $P/$book ]] || wrong "expected an archive with $book in $P, found none"
    read_ledger "$P/$book" "$book"
    BOOK=("${LEDGER[@]}") BOOK_AT=("${AT[@]}") BOOK_KIND=("${KIND[@]}") BOOK_END=("${END[@]}")
    for number in "${!BOOK[@]}"; do
        only_value run "${BOOK[number]}" || continue
        if [[ $VALUE == */* ]] || ! is_name "$VALUE"; then
            fault "$book:$((number + 1))" 'expected the name of a run (A-Z a-z 0-9 . _ -), found something else'
        else
            keep "$VALUE" "$number"
        fi
    done
    while IFS= read -r -d '' pack; do
        PACKS[${pack%/pack}]=1
    done < <(find "$TARGET" -mindepth 2 -maxdepth 2 -type d -name pack -printf '%P\0')
    for run in "${!OPENED[@]}"; do
        look_at_lifetime "$run"
    done
    for run in "${!PACKS[@]}"; do
        look_at_one "$run"
    done
    look_at_head
    look_at_anchors
}

keep() { # keep RUN NUMBER
    case ${BOOK_KIND[$2]} in
    run.opened) [[ -n ${OPENED[$1]+x} ]] || OPENED[$1]=$2 ;;
    run.closed) CLOSED[$1]+=" $2" ;;
    pack.sealed) SEALED[$1]+=" $2" ;;
    pack.stamped) LATER[$1]+=" $2" ;;
    pack.deleted) DELETED[$1]+=" $2" ;;
    esac
}

look_at_lifetime() {
    local run=$1 book=ledger/ledger.jsonl number first sums signer opened=${OPENED[$1]}
    local -a closed sealed
    read -ra closed <<<"${CLOSED[$run]-}"
    read -ra sealed <<<"${SEALED[$run]-}"
    if ((${#closed[@]} == 0)); then
        fault "$book:$((opened + 1))" "expected run $run to be closed, found it open: it is still at work, or its end was removed"
    elif ((${#sealed[@]} == 0)); then
        fault "$book:$((opened + 1))" "expected a sealed pack of run $run, found none on the ledger"
    fi
    ((${#closed[@]} < 2)) || fault "$book:$((closed[1] + 1))" "expected run $run to be closed once, found it closed again"
    ((${#sealed[@]})) || return
    first=${BOOK[sealed[0]]} sums='' signer=''
    only_value sums_sha256 "$first" && sums=$VALUE
    only_value signer "$first" && signer=$VALUE
    for number in "${sealed[@]:1}" ${LATER[$run]-}; do
        if ! only_value sums_sha256 "${BOOK[number]}" || [[ $VALUE != "$sums" ]]; then
            fault "$book:$((number + 1))" "expected the pack of run $run as it was sealed first, found another one"
        elif [[ -n $signer ]] && { ! only_value signer "${BOOK[number]}" || [[ $VALUE != "$signer" ]]; }; then
            fault "$book:$((number + 1))" "expected the pack of run $run signed as before, found another signer"
        fi
    done
    if [[ -z ${DELETED[$run]-} && -z ${PACKS[$run]-} ]]; then
        fault "$run/pack" "expected the pack that line $((sealed[0] + 1)) of the ledger tells of, found none"
    elif [[ -n ${DELETED[$run]-} && -n ${PACKS[$run]-} ]]; then
        fault "$run/pack" "expected no pack: the ledger says that it was deleted"
    fi
}

look_at_one() {
    local run=$1
    [[ -n ${OPENED[$run]+x} ]] || fault "$run/pack" 'expected a run that is on the ledger, found none of this name'
    WHERE="$run/pack/"
    look_at_pack "$TARGET/$run/pack"
    WHERE=''
    [[ -z $SIGNER ]] || PACK_SIGNERS[$SIGNER]=1
    if [[ -f $P/certificates/tsa.pem && $run > $NEWEST ]]; then
        NEWEST=$run
    fi
    [[ -n ${OPENED[$run]+x} ]] || return
    if [[ $RUN != "$run" ]]; then
        fault "$run/pack" "expected the pack of run $run, found that of $RUN"
        return
    fi
    look_at_copy "$run"
    look_at_closing "$run"
    look_at_sealing "$run"
}
declare -A PACK_SIGNERS=()
NEWEST=''

look_at_copy() {
    local number name=ledger/ledger.jsonl
    for number in "${!END[@]}"; do
        ((number < ${#BOOK_END[@]})) || break
        if [[ ${END[number]} != "${BOOK_END[number]}" ]]; then
            VALUE=''
            only_value run "${LEDGER[number]}"
            fault "$name:$((number + 1))" "expected this line as $1/pack/$name has it (${KIND[number]} $VALUE), found another: the ledger was rewritten"
            return
        fi
    done
}

look_at_closing() {
    local line name number expected
    read -r number _ <<<"${CLOSED[$1]-}"
    [[ -n $number ]] || return
    line=${BOOK[number]}
    for name in outcome restoration journal_head; do
        expected=$(text_of "verdict.$name")
        [[ $name != journal_head ]] || expected=$(text_of journal.head)
        VALUE=''
        only_value "$name" "$line"
        [[ $VALUE == "$expected" ]] ||
            fault "$1/pack/run.json" "expected $name $VALUE, as the ledger says, found $expected"
    done
    [[ $line =~ \"events\":([0-9]+) && ${BASH_REMATCH[1]} == "${SAID[journal.events]-}" ]] ||
        fault "$1/pack/run.json" "expected events ${BASH_REMATCH[1]-}, as the ledger says, found ${SAID[journal.events]-}"
}

look_at_sealing() {
    local first last number stamp="$1/pack/SHA256SUMS.p7s.tsr" closed_at='' told='' at=''
    read -r first _ <<<"${SEALED[$1]-}"
    [[ -n $first ]] || return
    if [[ -f $P/SHA256SUMS ]]; then
        sha256_of_file "$P/SHA256SUMS"
        { only_value sums_sha256 "${BOOK[first]}" && [[ $VALUE == "$DIGEST" ]]; } ||
            fault "$1/pack/SHA256SUMS" "expected the pack that line $((first + 1)) of the ledger sealed, found another one"
    fi
    for last in $first ${LATER[$1]-}; do :; done
    if only_value signer "${BOOK[last]}" && [[ $VALUE != "$SIGNER" ]]; then
        fault "$1/pack/certificates/signer.pem" "expected the signer $VALUE, as the ledger says, found ${SIGNER:-none}"
    fi
    if [[ -f $P/SHA256SUMS.p7s.tsr ]] && stamp_time "$P/SHA256SUMS.p7s.tsr"; then
        at=$EPOCH
    fi
    for number in ${SEALED[$1]-} ${LATER[$1]-}; do
        only_value stamped_at "${BOOK[number]}" && epoch_of "$VALUE" || continue
        [[ -n $at ]] || { fault "$stamp" "expected the stamp of line $((number + 1)) of the ledger, found none"; return; }
        [[ -n $told || $EPOCH != "$at" ]] || told=$number
    done
    [[ -n $at ]] || return
    read -r number _ <<<"${CLOSED[$1]-}"
    [[ -z $number ]] || { epoch_of "${BOOK_AT[number]}" && closed_at=$EPOCH; }
    if [[ -z $told ]]; then
        fault "$stamp" "expected a stamp that the ledger tells of, found one of $MOMENT"
    elif epoch_of "${BOOK_AT[told]}" && ((at > EPOCH + SLACK_S)); then
        fault "$stamp" "expected a stamp before line $((told + 1)) of the ledger, found $MOMENT"
    fi
    if [[ -n $closed_at ]] && ((at > closed_at + LATE_S)); then
        note "$1/pack: stamped $(((at - closed_at) / 86400)) days after the run: until then only the firm's word stands for it"
    fi
}

look_at_head() {
    local head book=ledger/ledger.jsonl authority=$AUTHORITY found size digest allowed=1 signer
    P=$TARGET
    if [[ ! -f $P/ledger/head.json ]]; then
        fault ledger/head.json 'expected the head of the ledger, found none'
        return
    fi
    head=$(<"$P/ledger/head.json")
    if [[ ! $head =~ ^\{\"digest\":\"($HEX)\",\"size\":([0-9]{1,12})\}$ ]]; then
        fault ledger/head.json 'expected a head (size and digest), found something else'
        return
    fi
    digest=${BASH_REMATCH[1]} size=$((10#${BASH_REMATCH[2]}))
    if ((size > ${#BOOK[@]})); then
        fault "$book" "expected $size lines, as ledger/head.json says, found ${#BOOK[@]}: it was cut"
    elif ((size < ${#BOOK[@]})); then
        fault "$book" "expected $size lines, as ledger/head.json says, found ${#BOOK[@]}: the head covers not all of it"
    elif ((size)) && [[ ${BOOK_END[size - 1]} != "$digest" ]]; then
        fault "$book" "expected it to end in $digest, as ledger/head.json says, found ${BOOK_END[size - 1]}"
    fi
    if [[ ! -f $P/ledger/head.json.p7s ]]; then
        fault ledger/head.json.p7s 'expected a signature of the head, found none'
        return
    elif ! signers "$P/ledger/head.json.p7s" "$P/ledger/head.json"; then
        fault ledger/head.json.p7s 'expected a signature of this ledger/head.json, found another'
    else
        for signer in "${SIGNERS[@]}"; do
            if ((${#ALLOWED[@]})); then
                [[ -n ${ALLOWED[$signer]+x} ]] || allowed=''
            else
                [[ -n ${PACK_SIGNERS[$signer]+x} ]] || allowed=''
            fi
        done
        [[ -n $allowed ]] || fault ledger/head.json.p7s "expected who signs the packs, found ${SIGNERS[*]}"
    fi
    [[ -n $authority || -z $NEWEST ]] || authority=$TARGET/$NEWEST/pack/certificates/tsa.pem
    [[ ! -f $P/ledger/head.json.p7s.tsr ]] || look_at_stamp ledger/head.json.p7s.tsr ledger/head.json.p7s "$authority"
}

look_at_anchors() {
    local number seq book=ledger/ledger.jsonl
    for number in "${!BOOK[@]}"; do
        [[ ${BOOK_KIND[number]} == anchored ]] || continue
        seq=0
        [[ ! ${BOOK[number]} =~ \"data\":\{\"digest\":\"($HEX)\",\"seq\":([0-9]{1,12})[,}] ]] || seq=$((10#${BASH_REMATCH[2]}))
        ((seq > 0 && seq <= ${#BOOK[@]})) && [[ ${BOOK_END[seq - 1]} == "${BASH_REMATCH[1]-}" ]] ||
            fault "$book:$((number + 1))" 'expected an anchor of this ledger, found one of another'
    done
    if ((ANCHOR_SIZE == 0)); then
        note 'no --anchor was given: an archive that was rolled back as a whole cannot be told from this'
    elif ((ANCHOR_SIZE > ${#BOOK[@]})); then
        fault "$book" "expected at least $ANCHOR_SIZE lines, as the anchor says, found ${#BOOK[@]}: it was rolled back"
    elif [[ ${BOOK_END[ANCHOR_SIZE - 1]} != "$ANCHOR" ]]; then
        fault "$book:$ANCHOR_SIZE" "expected the digest $ANCHOR, as the anchor says, found another ledger"
    fi
}

# -- the command line -----------------------------------------------------------------------------------------------

read_anchor() { # LINES:DIGEST, or a file that holds the head as it was sent
    local text=$1
    [[ ! -f $text ]] || text=$(<"$text")
    if [[ $text =~ ^([0-9]{1,12}):($HEX)$ ]]; then
        ANCHOR_SIZE=$((10#${BASH_REMATCH[1]})) ANCHOR=${BASH_REMATCH[2]}
    elif [[ $text =~ \"digest\":\ *\"($HEX)\",\ *\"size\":\ *([0-9]{1,12}) ]]; then
        ANCHOR_SIZE=$((10#${BASH_REMATCH[2]})) ANCHOR=${BASH_REMATCH[1]}
    else
        wrong "--anchor $1: expected LINES:DIGEST or a head.json as it was sent, found neither"
    fi
}

read_signer() {
    local text=${1//[: ]/}
    text=${text,,}
    [[ $text =~ ^$HEX$ ]] || wrong "--signer $1: expected a sha256 fingerprint (64 hex digits), found something else"
    ALLOWED[$text]=1
}

while (($#)); do
    case $1 in
    --signer) read_signer "${2-}"; shift ;;
    --anchor) read_anchor "${2-}"; shift ;;
    --tsa) AUTHORITY=${2-}; [[ -f $AUTHORITY ]] || wrong "--tsa: expected a file of certificates (PEM), found none"; shift ;;
    --allowed-signers) PEOPLE=${2-}; [[ -f $PEOPLE ]] || wrong "--allowed-signers: expected a file of public keys, found none"; shift ;;
    --archive) ARCHIVE=1 ;;
    -*) wrong "expected --signer, --anchor, --tsa, --allowed-signers or --archive, found $1" ;;
    *) [[ -z $TARGET ]] || wrong "expected one folder, found $1 too"; TARGET=$1 ;;
    esac
    shift
done
[[ -n $TARGET ]] || wrong 'expected a pack, or --archive and a folder of reports, found none'
[[ -d $TARGET ]] || wrong "expected a folder, found no such: $TARGET"
[[ $TARGET != -* ]] || TARGET=./$TARGET

if [[ -n $ARCHIVE ]]; then
    look_at_archive
else
    look_at_pack "$TARGET"
fi
for text in "${NOTES[@]}"; do
    printf '  %s\n' "$text"
done
if ((FAULTS)); then
    printf 'NOT VERIFIED: %s\n' "$FAULTS of the checks failed"
    exit 1
fi
printf 'verified: %s\n' "$TARGET"
