/**
 * `npm run bench -- memory [MINUTES]`: memory of the UI while it shows the stream of a table of 200,000 rows that
 * changes 200 times per second, and of a second UI that has joined the run. Floors: a UI in which nothing runs, and a
 * bare program that applies the same changes. In the middle, the UI shows other screens for a minute each. Prints
 * resident memory at several points, and the smallest heap of each thread. Asserts nothing. Touching the file
 * `snapshot` in the folder of the samples writes heap snapshots of all threads, which permanently increase resident
 * memory.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import xterm from '@xterm/headless'
import * as pty from 'node-pty'
import pg from 'pg'
import { ROOT } from './lakes.mjs'
import { postgresql } from './servers.mjs'
import { textTable } from './table.mjs'

const BIN = path.join(ROOT, 'dist/cli/bin.js')
const FLOOR = path.join(import.meta.dirname, 'floor-memory.mjs')
const ROWS = 200_000
const CHANGES_A_SECOND = 200
const EVERY_MS = 15_000
/** Screens that the UI shows in the middle, by their keys, and a text that shows that each is displayed. */
const SCREENS = [
  ['1', /\[1 Tables\]/],
  ['2', /\[2 Runs\]/],
  ['5', /\[5 Ask\]/],
]
const TABLE =
  'CREATE TABLE rows (id bigint PRIMARY KEY, name text, amount numeric(12,2), at timestamptz DEFAULT now(), n int DEFAULT 0)'

/** @param {{readonly minutes: number}} options */
export async function memories({ minutes }) {
  const server = await postgresql(['wal_level=logical', 'synchronous_commit=off', 'fsync=off'])
  if (server === null) return void process.stderr.write('memory: no PostgreSQL for this platform\n')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-bench-memory-'))
  process.stderr.write(`samples in ${folder}\n`)
  const ends = [() => server.stop()]
  try {
    const [source, target, bare] = [await made(server.url, 'source'), await made(server.url, 'target'), await made(server.url, 'bare')] // prettier-ignore
    const fill = `INSERT INTO rows SELECT i, 'name of ' || i, 1234.5, now(), 0 FROM generate_series(1, ${ROWS}) AS i`
    await asked(source, `${TABLE}; ${fill}`)
    await asked(bare, `${TABLE}; ${fill}`)
    await asked(source, `SELECT pg_create_logical_replication_slot('bare', 'test_decoding')`)
    const floor = spawn(process.execPath, [FLOOR, source, bare, 'bare'], { env: surroundings(folder, 'floor'), stdio: ['ignore', 'ignore', 'inherit'] }) // prettier-ignore
    ends.unshift(async () => void (floor.kill('SIGTERM') && (await once(floor, 'exit'))))
    const ui = open(folder, 'ui', ['copy', '--follow', '--from', source, '--to', target, '--table', 'rows'])
    ends.unshift(() => ui.close('x'))
    await ui.until(/following/)
    const joined = open(folder, 'joined', ['attach'])
    ends.unshift(() => joined.close('q'))
    await joined.until(/following/)
    const idle = open(folder, 'idle', [source])
    ends.unshift(() => idle.close('q'))
    await idle.until(/rows/)
    const writer = await writing(source)
    ends.unshift(writer)
    const begun = Date.now()
    const half = (minutes / 2) * 60_000
    await sleep(half)
    const each = Math.min(60_000, half / 6)
    for (const [key, there] of SCREENS) {
      ui.type(/** @type {string} */ (key))
      await ui.until(/** @type {RegExp} */ (there))
      await sleep(each)
      // While a statement is being typed, a digit does not change the screen.
      if (key === '5') ui.type('\u001B')
      await sleep(500)
    }
    ui.type('2')
    await ui.until(/\[2 Runs\]/)
    ui.type('\r')
    await ui.until(/following/)
    await sleep(Math.max(0, minutes * 60_000 - (Date.now() - begun)))
    fs.writeFileSync(path.join(folder, 'ui.screen.txt'), ui.screen())
    fs.writeFileSync(path.join(folder, 'joined.screen.txt'), joined.screen())
    report(folder, begun, minutes)
  } finally {
    for (const end of ends) await end()
  }
}

/**
 * An own state folder, so that programs of this bench and other programs do not see each other's runs.
 * @param {string} folder @param {string} name
 */
function surroundings(folder, name) {
  const env = { ...process.env, XDG_STATE_HOME: path.join(folder, 'state'), XDG_RUNTIME_DIR: folder, NODE_OPTIONS: `--import=${path.join(import.meta.dirname, 'resident.mjs')}`, SLUICE_BENCH_RESIDENT: path.join(folder, `${name}.jsonl`), SLUICE_BENCH_EVERY_MS: String(EVERY_MS) } // prettier-ignore
  for (const one of ['CI', 'NO_COLOR', 'SLUICE_DATABASE_URL']) delete env[one]
  return env
}

/**
 * The program in a terminal of 120 by 40.
 * @param {string} folder @param {string} name @param {readonly string[]} words
 */
function open(folder, name, words) {
  const terminal = new xterm.Terminal({ cols: 120, rows: 40, scrollback: 0, allowProposedApi: true })
  const child = pty.spawn(process.execPath, [BIN, ...words], { cols: 120, rows: 40, cwd: folder, name: 'xterm-256color', env: surroundings(folder, name) }) // prettier-ignore
  let isOver = false
  child.onData((data) => terminal.write(data))
  const ended = new Promise((resolve) => child.onExit(() => resolve((isOver = true))))
  const screen = () => {
    const buffer = terminal.buffer.active
    return Array.from({ length: 40 }, (_, i) => buffer.getLine(buffer.baseY + i)?.translateToString(true)).join('\n')
  }
  return {
    screen,
    type: (/** @type {string} */ keys) => child.write(keys),
    /** @param {RegExp} wanted */
    until: async (wanted) => {
      for (let tries = 0; !wanted.test(screen()); tries++) {
        if (tries === 600 || isOver) throw new Error(`${name} never showed ${String(wanted)}:\n${screen()}`)
        await sleep(100)
      }
    },
    /** @param {string} key that ends it regularly */
    close: async (key) => {
      if (!isOver) child.write(key)
      await Promise.race([ended, sleep(10_000, undefined, { ref: false })])
      if (!isOver) child.kill('SIGKILL')
      await ended
    },
  }
}

/** @param {string} server @param {string} name */
async function made(server, name) {
  await asked(server, `CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** @param {string} url @param {string} sql */
async function asked(url, sql) {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await client.query(sql)
  } finally {
    await client.end()
  }
}

/** Changes rows at a given rate until the returned function is called. @param {string} url */
async function writing(url) {
  const client = new pg.Client(url)
  await client.connect()
  let isOver = false
  const running = (async () => {
    while (!isOver) {
      await client.query(`UPDATE rows SET n = n + 1 WHERE id = ANY (ARRAY(SELECT 1 + (random() * ${ROWS - 1})::int FROM generate_series(1, ${CHANGES_A_SECOND / 5})))`) // prettier-ignore
      await sleep(200)
    }
  })()
  return async () => {
    isOver = true
    await running
    await client.end()
  }
}

/** @param {string} folder @param {number} begun @param {number} minutes */
function report(folder, begun, minutes) {
  const marks = [1 / 12, 1 / 4, 1 / 2, 3 / 4, 1].map((part) => part * minutes)
  const lines = []
  for (const name of ['ui', 'joined', 'idle', 'floor']) {
    const samples = fs.readFileSync(path.join(folder, `${name}.jsonl`), 'utf8').trim().split('\n').map((line) => JSON.parse(line)) // prettier-ignore
    for (const thread of new Set(samples.map((sample) => sample.thread))) {
      const own = samples.filter((sample) => sample.thread === thread)
      /** The smallest heap since the mark before, which has the least garbage. @param {string} what */
      const least = (what) =>
        marks.map((mark, i) => {
          const since = marks[i - 1] ?? 0
          const then = own.filter(({ at }) => at - begun > since * 60_000 && at - begun <= mark * 60_000 + EVERY_MS)
          return then.length === 0 ? '' : `${(Math.min(...then.map((sample) => sample[what])) / 1e6).toFixed(1)} MB`
        })
      const resident = marks.map((mark) => {
        const near = own.toSorted((a, b) => Math.abs(a.at - begun - mark * 60_000) - Math.abs(b.at - begun - mark * 60_000))[0] // prettier-ignore
        return `${(near.rss / 1e6).toFixed(0)} MB`
      })
      if (thread === 0) lines.push([`${name}: resident`, ...resident])
      lines.push([`${name}, thread ${thread}: heap`, ...least('heapUsed')])
      lines.push([`${name}, thread ${thread}: beside it`, ...least('external')])
    }
  }
  process.stdout.write(`\nNode ${process.versions.node}, ${minutes} minutes; resident memory at the moment, heap and what is beside it at its least since the one before\n`) // prettier-ignore
  process.stdout.write(`${textTable(['', ...marks.map((mark) => `${mark.toFixed(0)} min`)], lines)}\n`)
}
