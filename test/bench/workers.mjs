/**
 * `npm run bench -- workers [--rows N] [--quick]`: one copy, PostgreSQL to PostgreSQL, shared by 1, 2 and 4 workers in
 * their own processes. With a narrow link per worker, the links are the limit, so N workers should be N times as fast.
 * With a narrow link before the target, that link is the limit, and more workers should cost nothing. Without links,
 * this machine is the limit. One more case is the first copy of a stream, which is caught up at its end. Measures from
 * the first claim of a chunk to the last close, from the ledger, and the whole run, from the queue. Floor: the bytes of
 * the rows through links of the same width, by COPY, in as many streams. Asserts nothing about time.
 */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { ROOT, scratchFolder } from './lakes.mjs'
import { postgresql } from './servers.mjs'
import { textTable, time } from './table.mjs'

const BIN = path.join(ROOT, 'dist/cli/bin.js')
const WORKERS = [1, 2, 4]
const [HOST_LINK, TARGET_LINK] = [1e6, 2e6]
const ROW_BYTES = 200

/** @param {{rows: number}} options */
export async function workers({ rows }) {
  const settings = ['max_connections=300', 'wal_level=logical']
  const [source, target, queue] = [await postgresql(settings), await postgresql(settings), await postgresql(settings)]
  if (source === null || target === null || queue === null) {
    process.stderr.write('no postgresql server on this machine\n')
    process.exitCode = 1
    return
  }
  const folder = scratchFolder('workers')
  try {
    await fill(source.url, rows)
    const stage = { folder, source: source.url, target: target.url, queue: queue.url, rows }
    /** @type {string[][]} */
    const table = []
    const cases = [
      { name: `each worker behind ${HOST_LINK / 1e6} MB/s`, each: HOST_LINK, shared: 0 },
      {
        name: `first copy of a stream, each worker behind ${HOST_LINK / 1e6} MB/s`,
        each: HOST_LINK,
        shared: 0,
        follows: true,
      },
      { name: `the target behind ${TARGET_LINK / 1e6} MB/s`, each: 0, shared: TARGET_LINK },
      { name: 'no link', each: 0, shared: 0 },
    ]
    for (const { name, each, shared, follows = false } of cases) {
      let alone = 0
      for (const count of WORKERS) {
        const is = await share(stage, count, { each, shared, follows })
        if (count === 1) alone = is.rate
        const floor = await pipes(stage, count, each, shared)
        table.push([`${name}: ${count} ${count === 1 ? 'worker' : 'workers'}`, Math.round(is.rate).toLocaleString('en'), `${(is.rate / alone).toFixed(2)} x`, Math.round(floor).toLocaleString('en'), (is.rate / floor).toFixed(2), time(is.wholeMs), String(is.chunks), String(is.connections)]) // prettier-ignore
        process.stderr.write(`${table.at(-1)?.join('  ')}\n`)
      }
    }
    process.stdout.write(`\nNode ${process.versions.node}, ${rows.toLocaleString('en')} rows of ${ROW_BYTES} bytes, a slot and two chunks at once each worker\n`) // prettier-ignore
    process.stdout.write(`${textTable(['', 'rows/s', '', 'floor', 'of it', 'whole run', 'chunks', 'connections'], table)}\n`) // prettier-ignore
  } finally {
    for (const server of [source, target, queue]) await server.stop()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string} url @param {(client: pg.Client) => Promise<any>} body */
async function connected(url, body) {
  const client = new pg.Client(url)
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await body(client)
  } finally {
    await client.end()
  }
}

/** @param {string} url @param {number} rows */
const fill = (url, rows) =>
  connected(url, (client) =>
    client.query(`CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, price numeric(12,2) NOT NULL, placed timestamptz NOT NULL, note text NOT NULL);
      INSERT INTO orders SELECT i, i % 9973, (i % 100000) / 100.0, timestamptz '2026-01-01' + i * interval '1 second', rpad(md5(i::text), ${ROW_BYTES - 60}, md5((i * 7)::text))
      FROM generate_series(1, ${rows}) i; ANALYZE orders`),
  )

/** @param {string} url @param {number} bytes per second; 0 for no link */
async function link(url, bytes) {
  if (bytes === 0) return { url, stop: () => undefined }
  const { hostname, port } = new URL(url)
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'link.mjs'), hostname, port, String(bytes)], { stdio: ['ignore', 'pipe', 'inherit'] }) // prettier-ignore
  const listens = await new Promise((found) => child.stdout.once('data', (text) => found(String(text).trim())))
  const through = new URL(url)
  through.port = listens
  return { url: through.href, stop: () => child.kill('SIGKILL') }
}

/** @param {string} folder @param {Record<string, string>} stores */
function config(folder, stores) {
  fs.mkdirSync(folder, { recursive: true })
  const lines = Object.entries(stores).map(([name, url]) => `  ${name}: ${url}\n`)
  fs.writeFileSync(path.join(folder, 'sluice.yaml'), `stores:\n${lines.join('')}connect: queue\n`)
  return folder
}

/**
 * @param {{folder: string, source: string, target: string, queue: string, rows: number}} stage @param {number} count
 * @param {{each: number, shared: number, follows: boolean}} how
 */
async function share({ folder, source, target, queue, rows }, count, { each, shared, follows }) {
  await connected(target, (client) => client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public'))
  const before = await link(target, shared)
  const links = await Promise.all(Array.from({ length: count }, () => link(source, each)))
  const children = links.map((one, no) => {
    const home = config(path.join(folder, `host${no}`), { shop: one.url, archive: before.url, queue })
    return spawn(process.execPath, [BIN, 'worker', '--json'], { cwd: home, detached: true, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, XDG_STATE_HOME: home } }) // prettier-ignore
  })
  const desk = config(path.join(folder, 'desk'), { shop: source, archive: target, queue })
  try {
    await until(async () => (await connected(queue, (client) => client.query('SELECT 1 FROM sluice_queue.sluice_workers WHERE ended_at IS NULL'))).rowCount >= count) // prettier-ignore
    const words = ['copy', '--from', 'shop', '--to', 'archive', '--table', 'orders', '--distributed', '--tasks', String(count), '--workers', '2', '--checkpoint-size', String(Math.ceil(rows / 48)), ...(follows ? ['--follow', '--until-caught-up'] : []), '--json'] // prettier-ignore
    const begun = performance.now()
    const done = spawnSync(process.execPath, [BIN, ...words], {
      cwd: desk,
      encoding: 'utf8',
      env: { ...process.env, XDG_STATE_HOME: desk },
    })
    if (done.status !== 0) throw new Error(`the run was not begun: ${done.stdout}${done.stderr}`)
    let connections = 0
    await until(async () => {
      const seen = await connected(target, (client) => client.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'")) // prettier-ignore
      connections = Math.max(connections, seen.rows[0].n - 1)
      const ended = await connected(queue, (client) => client.query("SELECT status FROM sluice_queue.sluice_runs ORDER BY begun_at DESC LIMIT 1")) // prettier-ignore
      const [{ status }] = ended.rows
      if (status !== 'running' && status !== 'ok') throw new Error(`the run ended as ${status}`)
      return status === 'ok'
    })
    const wholeMs = performance.now() - begun
    const { rows: [ledger] } = await connected(target, (client) => client.query("SELECT count(*)::int AS chunks, count(DISTINCT owner)::int AS owners, max(completed_ms) - min(started_ms) AS ms, sum(rows_written)::int AS rows FROM migration_checkpoints WHERE status = 'completed'")) // prettier-ignore
    if (ledger.rows !== rows) throw new Error(`${ledger.rows} of ${rows} rows`)
    return { rate: rows / (Number(ledger.ms) / 1000), wholeMs, chunks: ledger.chunks, connections }
  } finally {
    for (const child of children) if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    for (const one of [before, ...links]) one.stop()
    await connected(source, async (client) => {
      const { rows: publications } = await client.query('SELECT pubname FROM pg_publication')
      for (const { pubname } of publications) await client.query(`DROP PUBLICATION "${pubname}"`)
      for (let left = 1; left > 0; await sleep(100)) {
        await client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active')
        left = (await client.query('SELECT 1 FROM pg_replication_slots')).rowCount ?? 0
      }
    })
    await connected(queue, (client) => client.query('DROP SCHEMA IF EXISTS sluice_queue CASCADE; DROP SCHEMA IF EXISTS graphile_worker CASCADE')) // prettier-ignore
  }
}

/**
 * The same rows by COPY over the same links, as psql does it: one stream per worker, without ledger or proof.
 * @returns rows per second
 */
async function pipes({ source, target, rows }, count, each, shared) {
  await connected(target, (client) => client.query('DROP TABLE IF EXISTS piped; CREATE TABLE piped (id bigint PRIMARY KEY, customer int NOT NULL, price numeric(12,2) NOT NULL, placed timestamptz NOT NULL, note text NOT NULL)')) // prettier-ignore
  const before = await link(target, shared)
  const links = await Promise.all(Array.from({ length: count }, () => link(source, each)))
  const begun = performance.now()
  await Promise.all(
    links.map(async (one, no) => {
      const child = spawn(process.execPath, [path.join(import.meta.dirname, 'workers-pipe.mjs'), one.url, before.url, String(count), String(no)], { stdio: ['ignore', 'inherit', 'inherit'] }) // prettier-ignore
      const code = await new Promise((ended) => child.once('close', ended))
      if (code !== 0) throw new Error(`a pipe ended with ${code}`)
    }),
  )
  const ms = performance.now() - begun
  for (const one of [before, ...links]) one.stop()
  await connected(target, (client) => client.query('DROP TABLE piped'))
  return rows / (ms / 1000)
}

/** @param {() => Promise<boolean>} found */
async function until(found) {
  for (const begun = performance.now(); ; await sleep(100)) {
    if (await found().catch((error) => { if (error.code !== '42P01' && error.code !== '3F000') throw error; return false })) return // prettier-ignore
    if (performance.now() - begun > 600_000) throw new Error('nothing came of it in ten minutes')
  }
}
