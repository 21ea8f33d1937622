/**
 * Makes a checkout ready to run: installs the locked packages if they are not those of this lock file and this Node,
 * then compiles src/ to build/ and joins that to the program in dist/. `prestart` and `pretest` call it, so it depends
 * only on Node, prints nothing if there is nothing to do, writes to stderr only (stdout belongs to the program that
 * starts next), and may be killed at any time: the marks of success are written last, and a killed process is detected
 * by its lock.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const modules = path.join(root, 'node_modules')
const stampFile = path.join(modules, '.sluice-stamp')
const installedList = path.join(modules, '.package-lock.json')
const build = path.join(root, 'build')
const lockFile = path.join(build, '.ensure-lock')
const buildInfo = path.join(build, '.tsbuildinfo')

/** Exit codes of docs/reference/EXIT-CODES.md: 2 for the environment, 70 for our own source. */
const EXIT_CONFIGURATION = 2
const EXIT_BUG = 70

/**
 * Exits with a message on the cause and the next step.
 * @param {number} code @param {string[]} lines
 */
function fail(code, ...lines) {
  for (const line of lines) process.stderr.write(`sluice: ${line}\n`)
  releaseLock()
  process.exit(code)
}

/** @param {string} file @returns {string | undefined} */
function readIfThere(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** @param {string} text @returns {any} */
function parseIfJson(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Compares `20.19.1` with `20.19`. @param {string} have @param {string} need */
function isAtLeast(have, need) {
  const a = have.split('.').map(Number)
  const b = need.split('.').map(Number)
  for (let i = 0; i < b.length; i++) {
    if ((a[i] ?? 0) !== b[i]) return (a[i] ?? 0) > b[i]
  }
  return true
}

function checkNode() {
  const manifest = parseIfJson(readIfThere(path.join(root, 'package.json')) ?? '')
  const need = /(\d+(?:\.\d+)*)/.exec(manifest?.engines?.node ?? '')?.[1]
  if (need === undefined || isAtLeast(process.versions.node, need)) return
  fail(EXIT_CONFIGURATION, `Node ${need} or newer is needed, this is ${process.versions.node}`)
}

// ── one at a time

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

let holdsLock = false

function releaseLock() {
  if (!holdsLock) return
  holdsLock = false
  fs.rmSync(lockFile, { force: true })
}

/**
 * Two terminals may start the program in a fresh checkout at once, and two `npm ci` in one folder destroy each other. A
 * lock whose owner has ended means an interrupted run: then the compiler's state is deleted too, because a file of
 * build/ may be incomplete.
 */
function takeLock() {
  fs.mkdirSync(build, { recursive: true })
  let told = false
  for (;;) {
    try {
      fs.writeFileSync(lockFile, String(process.pid), { flag: 'wx' })
      holdsLock = true
      return
    } catch (error) {
      if (error.code === 'ENOENT') {
        fs.mkdirSync(build, { recursive: true }) // `rm -rf build` ran between
        continue
      }
      if (error.code !== 'EEXIST') fail(EXIT_CONFIGURATION, `cannot write ${lockFile}: ${error.message}`)
    }
    const owner = Number(readIfThere(lockFile))
    // An empty lock is one that its owner has created but not filled yet, or will never fill: an old one has no owner.
    const age = Date.now() - (fs.statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (owner > 0 ? !isAlive(owner) : age > 2000) {
      fs.rmSync(buildInfo, { force: true })
      fs.rmSync(lockFile, { force: true })
      continue
    }
    if (!told && age > 1000) {
      told = true
      process.stderr.write(`sluice: waiting for process ${owner}, which prepares this checkout\n`)
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  }
}

// ── packages

/** @param {string} lockText */
function stampOf(lockText) {
  const facts = [lockText, process.versions.modules, process.platform, process.arch]
  return createHash('sha256').update(facts.join('\0')).digest('hex')
}

/** Written to another file and renamed, so that a stamp is never incomplete. @param {string} stamp */
function writeStamp(stamp) {
  const aside = `${stampFile}.${process.pid}`
  fs.writeFileSync(aside, stamp)
  fs.renameSync(aside, stampFile)
}

/** @param {{os?: string[], cpu?: string[], libc?: string[]}} entry */
function isForThisMachine(entry) {
  if (entry.os !== undefined && !entry.os.includes(process.platform)) return false
  if (entry.cpu !== undefined && !entry.cpu.includes(process.arch)) return false
  return entry.libc === undefined // the C library is not checked: npm has chosen the package
}

/**
 * True if a user has run `npm ci`: every package of the lock file is installed in its version, and the native ones load
 * in this Node. This saves a second installation of a minute in CI.
 * @param {string} lockText
 */
function isInstalledByHand(lockText) {
  const installed = parseIfJson(readIfThere(installedList) ?? '')?.packages
  const wanted = parseIfJson(lockText)?.packages
  if (installed === undefined || wanted === undefined) return false
  for (const [name, entry] of Object.entries(wanted)) {
    if (name === '' || !isForThisMachine(entry)) continue
    // npm leaves out optional packages that this machine does not need; the native ones are tested below.
    if (entry.optional === true && installed[name] === undefined) continue
    if (installed[name]?.version !== entry.version || installed[name]?.integrity !== entry.integrity) return false
    if (!fs.existsSync(path.join(root, name, 'package.json'))) return false
  }
  return nativePackagesLoad()
}

function nativePackagesLoad() {
  const probe = "new (require('better-sqlite3'))(':memory:').close(); require('@duckdb/node-api')"
  return spawnSync(process.execPath, ['-e', probe], { cwd: root, stdio: 'ignore' }).status === 0
}

/** @param {string} command */
function isOnPath(command) {
  const names = process.platform === 'win32' ? [`${command}.exe`, `${command}.cmd`] : [command]
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .some((folder) => names.some((name) => fs.existsSync(path.join(folder, name))))
}

/**
 * Folder with the headers of this Node, so that compiling needs no download. Headers of another ABI would be wrong.
 * @returns {string | undefined}
 */
function localHeaders() {
  for (const prefix of [path.dirname(path.dirname(process.execPath)), '/usr', '/usr/local']) {
    const text = readIfThere(path.join(prefix, 'include', 'node', 'node_version.h'))
    if (text === undefined || !fs.existsSync(path.join(prefix, 'include', 'node', 'node.h'))) continue
    if (/#define NODE_MODULE_VERSION (\d+)/.exec(text)?.[1] === process.versions.modules) return prefix
  }
  return undefined
}

function missingTools() {
  const missing = []
  if (!isOnPath('g++') && !isOnPath('c++') && !isOnPath('clang++')) missing.push('a C++ compiler (g++)')
  if (!isOnPath('make')) missing.push('make')
  if (!isOnPath('python3') && !isOnPath('python')) missing.push('python3')
  return missing
}

function runNpmCi() {
  const env = { ...process.env }
  // `npm start --silent` is inherited, but a failed installation must print its cause.
  if (env.npm_config_loglevel === 'silent') env.npm_config_loglevel = 'error'
  const headers = env.npm_config_nodedir === undefined ? localHeaders() : undefined
  if (headers !== undefined) env.npm_config_nodedir = headers

  // Use the npm that runs this script, or else the one on the PATH.
  const outer = process.env.npm_execpath
  const byPath = outer === undefined || !/npm-cli\.[cm]?js$/.test(outer)
  const args = ['ci', '--include=dev']
  return spawnSync(byPath ? 'npm' : process.execPath, byPath ? args : [outer, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 2, 2], // npm's banner must not reach stdout
    shell: byPath && process.platform === 'win32',
  })
}

function ensurePackages() {
  const lockText = readIfThere(path.join(root, 'package-lock.json'))
  if (lockText === undefined) fail(EXIT_CONFIGURATION, 'package-lock.json is missing: this is no complete checkout')
  const stamp = stampOf(lockText)
  if (readIfThere(stampFile) === stamp) return
  if (readIfThere(stampFile) === undefined && isInstalledByHand(lockText)) return writeStamp(stamp)

  // From here on the folder is incomplete, so remove everything that says otherwise.
  fs.rmSync(stampFile, { force: true })
  fs.rmSync(installedList, { force: true })
  process.stderr.write('sluice: installing the locked packages with npm ci (once; native packages are compiled)\n')
  const result = runNpmCi()
  if (result.error?.code === 'ENOENT') fail(EXIT_CONFIGURATION, 'npm was not found on the PATH')
  if (result.signal !== null) fail(EXIT_CONFIGURATION, `npm ci was ended by ${result.signal}: start again to go on`)
  if (result.status !== 0 || !nativePackagesLoad()) {
    const missing = missingTools()
    const what = result.status === 0 ? 'the native packages do not load' : `npm ci failed with ${result.status}`
    if (missing.length === 0) fail(EXIT_CONFIGURATION, `${what}; its messages stand above`)
    fail(
      EXIT_CONFIGURATION,
      `${what}. better-sqlite3 and node-pty are compiled here, and these are missing: ${missing.join(', ')}`,
      'on Debian or Ubuntu: apt-get install g++ make python3',
    )
  }
  writeStamp(stamp)
}

// ── build/ and dist/

/** Compiled files of deleted sources would still be found by import. */
function removeOrphans() {
  for (const entry of fs.readdirSync(build, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js')) continue
    const folder = entry.parentPath ?? entry.path
    const source = path.join(root, 'src', path.relative(build, folder), entry.name.slice(0, -3))
    if (!fs.existsSync(`${source}.ts`) && !fs.existsSync(`${source}.tsx`)) fs.rmSync(path.join(folder, entry.name))
  }
}

/** tsc trusts its own notes; if the entry is missing, a user has emptied build/ without them. */
function dropNotesOfMissingFiles() {
  if (fs.existsSync(path.join(root, 'src/cli/bin.ts')) && !fs.existsSync(path.join(build, 'cli/bin.js'))) {
    fs.rmSync(buildInfo, { force: true })
  }
}

function compile() {
  dropNotesOfMissingFiles()
  const tsc = path.join(modules, 'typescript', 'bin', 'tsc')
  const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (result.status !== 0) fail(EXIT_BUG, 'src/ does not compile; the compiler says why above')
  removeOrphans()
  const bundled = spawnSync(process.execPath, [path.join(root, 'scripts', 'bundle.mjs')], { stdio: ['ignore', 2, 2] })
  if (bundled.status !== 0) fail(EXIT_BUG, 'the compiled modules cannot be joined; the bundler says why above')
}

checkNode()
takeLock()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    releaseLock()
    process.exit(130)
  })
}
ensurePackages()
compile()
releaseLock()
