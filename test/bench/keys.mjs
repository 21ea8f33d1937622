/**
 * Time from a key press to the screen while the machine works: a copy of two million rows in another process and an
 * import in the UI itself. Compared with the same keys while nothing runs, and with the floor: a program that only
 * echoes keys through the same pseudo terminal.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import * as pty from 'node-pty'
import { lake, ROOT, scratchFolder } from './lakes.mjs'
import { textTable } from './table.mjs'

const BIN = path.join(ROOT, 'dist/cli/bin.js')
const KEYS = 400
const GAP_MS = 40

/** @param {{readonly rows: number}} options `rows` of the copy */
export async function keys({ rows }) {
  const folder = scratchFolder('keys')
  const env = { ...process.env, XDG_STATE_HOME: path.join(folder, 'state'), CI: '' }
  delete env['CI']
  const source = path.join(folder, 'source.db')
  fillSource(source, rows)
  const many = lake(['--tables', '300', '--files', '2000', '--commits', '50'])
  const table = []
  table.push(['echo alone', ...figures(await echoed(env))])
  const ui = open(['--', BIN, many, '--database-url', `sqlite:///${path.join(folder, 'lake.db')}`], env)
  await ui.until(/300 tables/)
  await new Promise((resolve) => setTimeout(resolve, 3000))
  table.push(['nothing runs', ...figures(await ui.keys())])
  ui.write(':')
  await ui.until(/╭─ :/)
  ui.write('batch-import ')
  await ui.until(/batch-import …/)
  ui.write('\r')
  await ui.until(/shows its plan/)
  ui.write('\r')
  await ui.until(/tab goes there/)
  ui.write('\t')
  await ui.until(/enter starts it/)
  ui.write('\r')
  const copy = spawn(
    process.execPath,
    [
      BIN,
      'copy',
      '--from',
      `sqlite:///${source}`,
      '--to',
      `sqlite:///${path.join(folder, 'target.db')}`,
      '--table',
      't',
      '--ci',
    ],
    { env, stdio: 'ignore' },
  )
  await ui.until(/importing/)
  ui.write('1')
  await ui.until(/\[1 Tables\]/)
  table.push(['copy and import', ...figures(await ui.keys())])
  const both = copy.exitCode === null && /importing/.test(ui.screen())
  const before = ui.bytes()
  copy.kill('SIGKILL')
  ui.kill()
  process.stdout.write(`${textTable(['KEYS', 'P50', 'P95', 'MOST', 'CPU A KEY'], table)}\n`)
  process.stdout.write(
    `${both ? 'copy and import were still going on at the end' : 'one of the two had ended before the last key'}; ${before} bytes written in all\n`,
  )
}

function figures({ times, cpu }) {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share) => `${(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)} ms`
  return [at(0.5), at(0.95), at(1), `${cpu.toFixed(1)} ms`]
}

/** CPU time of a process and its threads so far; 0 if unknown. */
function cpuMs(pid) {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return 0
  }
}

function fillSource(file, rows) {
  if (fs.existsSync(file)) return
  const db = new Database(file)
  db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, amount REAL)')
  const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?)')
  db.transaction(() => {
    for (let id = 1; id <= rows; id += 1) insert.run(id, `name ${id}`, id / 7)
  })()
  db.close()
}

async function echoed(env) {
  const echo = open(
    [
      '-e',
      `process.stdin.setRawMode(true); process.stdin.on('data', (d) => process.stdout.write(d + '\\x1b[H')); process.stdout.write('all keys')`,
    ],
    env,
  )
  await echo.until(/all keys/)
  const times = await echo.keys(/[jk]/)
  echo.kill()
  return times
}

function open(args, env) {
  const [first, ...rest] = args
  const child = pty.spawn(process.execPath, first === '--' ? rest : args, {
    cols: 120,
    rows: 40,
    name: 'xterm-256color',
    env,
  })
  let text = ''
  let bytes = 0
  let heard = (_data) => undefined
  child.onData((data) => {
    text = (text + data).slice(-200_000)
    bytes += data.length
    heard(data)
  })
  const plain = () => text.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
  return {
    screen: plain,
    bytes: () => bytes,
    write: (data) => child.write(data),
    kill: () => child.kill('SIGKILL'),
    until: async (wanted) => {
      const end = Date.now() + 60_000
      while (!wanted.test(plain())) {
        if (Date.now() > end) throw new Error(`never seen: ${wanted}\n${plain().slice(-3000)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      text = ''
    },
    /** The cursor moves down and up; each key changes at least one row of the screen. */
    keys: async (answer = /›/) => {
      const times = []
      const worked = cpuMs(child.pid)
      for (let i = 0; i < KEYS; i += 1) {
        await new Promise((resolve) => setTimeout(resolve, GAP_MS))
        const began = performance.now()
        const seen = new Promise((resolve) => (heard = (data) => answer.test(data) && resolve(null)))
        child.write(i % 2 === 0 ? 'j' : 'k')
        const late = new Promise((resolve) => setTimeout(resolve, 2000))
        await Promise.race([seen, late])
        times.push(performance.now() - began)
      }
      heard = () => undefined
      return { times, cpu: (cpuMs(child.pid) - worked) / KEYS }
    },
  }
}
