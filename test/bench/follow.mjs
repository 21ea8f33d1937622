/**
 * `npm run bench -- follow [pipe|copy|partition|lag] [--quick] [--runs N]`: a stream of PostgreSQL, and what PostgreSQL
 * itself does with the same writes. `pipe`: the same transactions, from the first one that is written until the target
 * has the last, through a subscription and through `sluice follow`, alternating; the floor is the time of writing
 * alone. `copy`: a copy with a stream during writes, and a bare binary COPY | COPY during the same writes. `partition`:
 * `sluice partition run` during writes, and the same bare pipe into the same partitioned table with the same indexes.
 * `lag`: age of the newest row in the target while so many rows per second are changed. Asserts nothing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { fill } from './copies.mjs'
import { ROOT } from './lakes.mjs'
import { median } from './measure.mjs'
import { postgresql } from './servers.mjs'
import { textTable } from './table.mjs'

const SLUICE = path.join(ROOT, 'dist/cli/bin.js')
const FLOOR = path.join(import.meta.dirname, 'floor-copy.mjs')
const COLUMNS = 'id bigint PRIMARY KEY, name text, amount numeric(12,2), at timestamptz DEFAULT now(), n int DEFAULT 0'
const ROW = (/** @type {string} */ id) => `${id}, 'name of ' || ${id}, 1234.5, now(), 0`

/**
 * Writes rows in so many transactions of so many rows, in a procedure on the server, so that the client is not the
 * limit.
 */
const PROCEDURES = `
  CREATE PROCEDURE put(transactions int, size int) LANGUAGE plpgsql AS $$ BEGIN
    FOR t IN 0 .. transactions - 1 LOOP
      INSERT INTO rows SELECT ${ROW('t::bigint * size + i')} FROM generate_series(1, size) AS i; COMMIT;
    END LOOP;
  END $$;
  CREATE PROCEDURE change(transactions int, size int) LANGUAGE plpgsql AS $$ BEGIN
    FOR t IN 0 .. transactions - 1 LOOP
      UPDATE rows SET n = n + 1, name = name || '+' WHERE id > t::bigint * size AND id <= (t + 1)::bigint * size; COMMIT;
    END LOOP;
  END $$;
  CREATE PROCEDURE remove(transactions int, size int) LANGUAGE plpgsql AS $$ BEGIN
    FOR t IN 0 .. transactions - 1 LOOP
      DELETE FROM rows WHERE id > t::bigint * size AND id <= (t + 1)::bigint * size; COMMIT;
    END LOOP;
  END $$`

/** @param {{runs: number, only: string, isQuick: boolean}} options */
export async function follows({ runs, only, isQuick }) {
  const settings = ['wal_level=logical', 'synchronous_commit=off']
  const [source, target] = [await postgresql(settings), await postgresql(settings)]
  if (source === null || target === null) return void process.stderr.write('follow: no PostgreSQL for this platform\n')
  try {
    const at = { runs, isQuick, source: source.url, target: target.url }
    if (only === '' || only === 'pipe') await pipes(at)
    if (only === '' || only === 'copy') await copies(at)
    if (only === '' || only === 'partition') await partitions(at)
    if (only === '' || only === 'lag') await lags(at)
  } finally {
    await source.stop()
    await target.stop()
  }
}

/** @param {string} server @param {string} name */
async function database(server, name) {
  const client = new pg.Client(server)
  await client.connect()
  await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** @param {string} url @param {string} sql */
async function query(url, sql) {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await client.query(sql)
  } finally {
    await client.end()
  }
}

/** @param {{runs: number, isQuick: boolean, source: string, target: string}} options */
async function pipes({ runs, isQuick, source, target }) {
  const total = isQuick ? 20_000 : 400_000
  /** @type {Map<string, {writing: number[], theirs: number[], ours: number[]}>} */
  const figures = new Map()
  for (let run = 0; run < runs; run++) {
    for (const who of /** @type {const} */ (['theirs', 'ours'])) {
      const [from, to] = [await database(source, 'pipe'), await database(target, 'pipe')]
      await query(from, `CREATE TABLE rows (${COLUMNS}); CREATE TABLE done (id int PRIMARY KEY, step int)`)
      await query(from, `INSERT INTO done VALUES (1, 0)`)
      await query(from, PROCEDURES)
      const stream = who === 'theirs' ? await subscription(from, to) : await followed(from, to)
      let step = 0
      // Warms up both: compiled code, and caches.
      for (const kind of ['put', 'change', 'remove']) await query(from, `CALL ${kind}(20000, 2)`)
      await query(from, `UPDATE done SET step = ${++step}`)
      await until(to, `SELECT step = ${step} FROM done`)
      for (const size of [1, 10, 1_000, total]) {
        for (const kind of ['put', 'change', 'remove']) {
          const transactions = size === 1 ? total / 4 : total / size
          const start = performance.now()
          await query(from, `CALL ${kind}(${transactions}, ${size})`)
          const written = performance.now() - start
          await query(from, `UPDATE done SET step = ${++step}`)
          await until(to, `SELECT step = ${step} FROM done`)
          const taken = performance.now() - start
          const name = `${kind}, transactions of ${size.toLocaleString('en')}`
          const one = figures.get(name) ?? { writing: [], theirs: [], ours: [] }
          figures.set(name, one)
          const rows = transactions * size
          one.writing.push((rows * 1000) / written)
          one[who].push((rows * 1000) / taken)
          process.stderr.write(`${who} ${name}: ${Math.round((rows * 1000) / taken)} rows/s, written ${Math.round((rows * 1000) / written)}\n`) // prettier-ignore
        }
      }
      await stream()
    }
  }
  const lines = [...figures].map(([name, { writing, theirs, ours }]) => [name, rate(median(writing)), rate(median(theirs)), rate(median(ours)), (median(ours) / median(theirs)).toFixed(2)]) // prettier-ignore
  process.stdout.write(`\nNode ${process.versions.node}, ${runs} runs; medians of rows a second from the first write to the last row in the target\n`) // prettier-ignore
  process.stdout.write(`${textTable(['what is written', 'writing alone', 'subscription', 'sluice', 'of it'], lines)}\n`)
}

/** @param {number} perSecond */
const rate = (perSecond) => Math.round(perSecond).toLocaleString('en')

/** @param {string} url @param {string} sql query for one boolean */
async function until(url, sql) {
  const client = new pg.Client(url)
  await client.connect()
  try {
    for (;;) {
      const { rows } = await client.query({ text: sql, rowMode: 'array' }).catch(() => ({ rows: [[false]] }))
      if (rows[0]?.[0] === true) return
      await sleep(5)
    }
  } finally {
    await client.end()
  }
}

/** @param {string} from @param {string} to @returns {Promise<() => Promise<void>>} stops it */
async function subscription(from, to) {
  await query(to, `CREATE TABLE rows (${COLUMNS}); CREATE TABLE done (id int PRIMARY KEY, step int)`)
  await query(from, 'CREATE PUBLICATION theirs FOR TABLE rows, done')
  const { hostname, port, pathname } = new URL(from)
  await query(to, `CREATE SUBSCRIPTION theirs CONNECTION 'host=${hostname} port=${port} user=app dbname=${pathname.slice(1)}' PUBLICATION theirs`) // prettier-ignore
  await until(to, `SELECT count(*) = 2 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel`)
  return async () => void (await query(to, 'DROP SUBSCRIPTION theirs'))
}

/** @param {string} from @param {string} to @param {string[]} more @returns {Promise<() => Promise<void>>} stops it */
async function followed(from, to, ...more) {
  const child = spawn(process.execPath, [SLUICE, 'copy', '--follow', '--from', from, '--to', to, '--tables', 'public.*', '--json', ...more], { stdio: ['ignore', 'pipe', 'inherit'] }) // prettier-ignore
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  await new Promise((resolve) => {
    lines.on('line', (line) => {
      const event = JSON.parse(line)
      if (event.type === 'follow.progress' && event.tables.live !== '0' && event.tables.catchup === '0') resolve(null)
    })
  })
  return async () => {
    child.kill('SIGINT')
    await ended
  }
}

/**
 * Writes at a given rate until the returned function is called, which returns the rows per second that it changed.
 * @param {string} url @param {number} perSecond @returns {Promise<() => Promise<number>>}
 */
async function writer(url, perSecond) {
  const client = new pg.Client(url)
  await client.connect()
  let isOver = false
  let done = 0
  const start = performance.now()
  const running = (async () => {
    while (!isOver) {
      const size = Math.min(500, Math.floor(((performance.now() - start) * perSecond) / 1000) - done)
      if (size < 20) {
        await sleep(5)
        continue
      }
      await client.query(`UPDATE rides SET distance = distance + 1 WHERE id = ANY (ARRAY(SELECT 1 + (random() * 99999)::int FROM generate_series(1, ${size})))`) // prettier-ignore
      done += size
    }
  })()
  return async () => {
    isOver = true
    await running
    await client.end()
    return Math.round((done * 1000) / (performance.now() - start))
  }
}

/** @param {{runs: number, isQuick: boolean, source: string, target: string}} options */
async function copies({ runs, isQuick, source, target }) {
  const rows = isQuick ? 300_000 : 2_000_000
  const from = await database(source, 'copy')
  await fill(from, rows)
  /** @type {Record<string, number[]>} */
  const figures = { 'bare binary COPY | COPY': [], 'copy --follow, counted': [], 'copy --follow, echo proof': [] }
  for (let run = 0; run < runs; run++) {
    for (const [name, each] of Object.entries(figures)) {
      const to = await database(target, 'copy')
      await query(from, 'VACUUM rides')
      const stop = await writer(from, 2_000)
      const ms = name.startsWith('bare') ? await piped(from, to) : await copied(from, to, name.includes('counted') ? ['--verify', 'count'] : []) // prettier-ignore
      const pace = await stop()
      each.push((rows * 1000) / ms)
      process.stderr.write(`${name}: ${rate((rows * 1000) / ms)} rows/s beside ${pace} changes/s\n`)
      await query(from, 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active')
    }
  }
  const floor = median(figures['bare binary COPY | COPY'] ?? [])
  const lines = Object.entries(figures).map(([name, each]) => [name, rate(median(each)), (median(each) / floor).toFixed(2)]) // prettier-ignore
  process.stdout.write(`\n${textTable(['beside a writer', 'rows a second', 'of the pipe'], lines)}\n`)
}

/** @param {{runs: number, isQuick: boolean, source: string, target: string}} options */
async function partitions({ runs, isQuick, source, target }) {
  const rows = isQuick ? 300_000 : 2_000_000
  const from = await database(source, 'parts')
  await fill(from, rows)
  await query(
    from,
    'CREATE INDEX ON rides (at); ALTER TABLE rides ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START 1000000000)',
  )
  const bytes = Number((await query(from, `SELECT pg_table_size('rides')`)).rows[0].pg_table_size)
  /** @type {Record<string, number[]>} */
  const figures = {
    'bare binary COPY | COPY': [],
    'partition run, counted': [],
    'partition run, count and checksum': [],
  }
  for (let run = 0; run < runs; run++) {
    for (const [name, each] of Object.entries(figures)) {
      const to = await database(target, 'parts')
      const isBare = name.startsWith('bare')
      // Both use the same table: the one that a run creates, emptied.
      if (isBare) await partitioned(from, to, [])
      await query(from, 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active')
      await query(from, 'VACUUM rides')
      if (isBare) await query(to, 'TRUNCATE rides_partitioned; ALTER TABLE rides_partitioned RENAME TO rides')
      const stop = await writer(from, 2_000)
      const ms = isBare ? await piped(from, to, 'fill') : await partitioned(from, to, name.includes('counted') ? ['--verify', 'count'] : []) // prettier-ignore
      const pace = await stop()
      each.push((rows * 1000) / ms)
      const perHour = ((bytes / 1e9) * 3_600_000) / ms
      process.stderr.write(`${name}: ${rate((rows * 1000) / ms)} rows/s, ${perHour.toFixed(1)} GB an hour beside ${pace} changes/s\n`) // prettier-ignore
      await query(from, 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active')
    }
  }
  const floor = median(figures['bare binary COPY | COPY'] ?? [])
  const lines = Object.entries(figures).map(([name, each]) => [name, rate(median(each)), (((bytes / 1e9) * 3600 * median(each)) / rows).toFixed(1), (median(each) / floor).toFixed(2)]) // prettier-ignore
  process.stdout.write(`\n${textTable(['beside a writer', 'rows a second', 'GB an hour', 'of the pipe'], lines)}\n`)
}

/**
 * @param {string} from @param {string} to @param {string[]} more
 * @returns {Promise<number>} ms from the plan to the last chunk
 */
async function partitioned(from, to, more) {
  const words = ['partition', 'run', '--from', from, '--to', to, '--table', 'rides', '--by', 'at', '--workers', '2', '--json', ...more] // prettier-ignore
  const child = spawn(process.execPath, [SLUICE, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  let [first, last] = [0, 0]
  for await (const line of createInterface({ input: child.stdout })) {
    const { type, ts, table, state } = JSON.parse(line)
    if (type === 'follow.started') first = Date.parse(ts)
    if (type === 'chunk.done') last = Date.parse(ts)
    if (type === 'follow.table' && table !== undefined && state === 'catchup') child.kill('SIGINT')
  }
  await ended
  return last - first
}

/**
 * @param {string} from @param {string} to @param {string} way
 * @returns {Promise<number>} ms from the first row to the last
 */
async function piped(from, to, way = 'pipe') {
  const child = spawn(process.execPath, [FLOOR, way, from, to], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (piece) => (text += piece))
  await once(child, 'close')
  return JSON.parse(text).ms
}

/**
 * @param {string} from @param {string} to @param {string[]} more
 * @returns {Promise<number>} ms from the plan to the last chunk
 */
async function copied(from, to, more) {
  const words = [
    'copy',
    '--follow',
    '--from',
    from,
    '--to',
    to,
    '--table',
    'rides',
    '--workers',
    '2',
    '--json',
    ...more,
  ]
  const child = spawn(process.execPath, [SLUICE, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  let [first, last] = [0, 0]
  for await (const line of createInterface({ input: child.stdout })) {
    const { type, ts, table, state } = JSON.parse(line)
    if (type === 'follow.started') first = Date.parse(ts)
    if (type === 'chunk.done') last = Date.parse(ts)
    if (type === 'follow.table' && table !== undefined && state === 'catchup') child.kill('SIGINT')
  }
  await ended
  return last - first
}

/** @param {{isQuick: boolean, source: string, target: string}} options */
async function lags({ isQuick, source, target }) {
  const lines = []
  for (const [size, lanes] of [
    [1, 1],
    [10, 1],
    [500, 1],
    [10, 2],
  ]) {
    const [from, to] = [await database(source, 'lag'), await database(target, 'lag')]
    await query(from, `CREATE TABLE rows (${COLUMNS}); INSERT INTO rows SELECT ${ROW('i')} FROM generate_series(1, 100000) AS i; CREATE TABLE beat (id int PRIMARY KEY, at timestamptz); INSERT INTO beat VALUES (1, clock_timestamp())`) // prettier-ignore
    const stop = await followed(from, to, '--apply-workers', String(lanes))
    const client = new pg.Client(from)
    const looker = new pg.Client(to)
    await client.connect()
    await looker.connect()
    const seconds = isQuick ? 5 : 20
    const perSecond = 5_000
    let isOver = false
    let done = 0
    const start = performance.now()
    const writing = (async () => {
      while (!isOver) {
        const due = ((performance.now() - start) * perSecond) / 1000
        if (due - done < size) {
          await sleep(1)
          continue
        }
        const times = Math.min(50, Math.floor((due - done) / size))
        await client.query(`DO $$ BEGIN FOR t IN 1 .. ${times} LOOP
          UPDATE rows SET n = n + 1 WHERE id = ANY (ARRAY(SELECT 1 + (random() * 99999)::int FROM generate_series(1, ${size}))); COMMIT; END LOOP;
          UPDATE beat SET at = clock_timestamp(); END $$`) // prettier-ignore
        done += times * size
      }
    })()
    const ages = []
    while (performance.now() - start < seconds * 1000) {
      await sleep(50)
      const { rows } = await looker.query(`SELECT extract(epoch FROM clock_timestamp() - at) * 1000 AS age FROM beat`)
      if (performance.now() - start > 2000) ages.push(Number(rows[0].age))
    }
    isOver = true
    await writing
    const pace = Math.round((done * 1000) / (performance.now() - start))
    await client.end()
    await looker.end()
    await stop()
    ages.sort((a, b) => a - b)
    const share = (/** @type {number} */ part) => `${Math.round(ages[Math.floor((ages.length - 1) * part)] ?? 0)} ms`
    lines.push([`${size}`, `${lanes}`, rate(pace), share(0.5), share(0.95), share(1)])
    process.stderr.write(`${lines.at(-1)?.join('  ')}\n`)
  }
  process.stdout.write(
    `\n${textTable(['rows a transaction', 'lanes', 'rows a second', 'age: median', '95 %', 'most'], lines)}\n`,
  )
}
