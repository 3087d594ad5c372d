"""Programs from Debian: programs.py PROGRAM [OPTION…]"""

import re
import subprocess
import sys
import tempfile

from drive import URL, drive


def curl(options, method, path, body, into):
    # To a file: to a device, curl 7.88 cannot begin anew, and so does not retry.
    command = ["curl", "-q", "--silent", "--show-error", "--output", into, *options]
    if method == "POST":
        command += ["--header", "content-type: application/json", "--data", body]
    return [*command, URL + path]


def wget(options, method, path, body, into):
    command = ["wget", "--no-config", "--no-verbose", "--output-document", into, *options]
    if method == "POST":
        command += ["--header", "content-type: application/json", "--post-data", body]
    return [*command, URL + path]


def main(program, *options):
    if options == ("version",):
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        print(re.search(r"\d+(\.\d+)+", told.stdout).group())
        return
    command = {"curl": curl, "wget": wget}[program]

    def operation(method, path, body):
        with tempfile.NamedTemporaryFile() as into:
            subprocess.run(command(options, method, path, body, into.name), check=True)

    drive(operation)


main(*sys.argv[1:])
