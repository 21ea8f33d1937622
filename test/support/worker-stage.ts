/**
 * Workers for tests: real programs that share runs, each with its own config file and, if the machine allows it, in its
 * own namespaces.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { trustFile } from '../../src/cli/config/trust.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { openQueue } from '../../src/app/share/queues.ts'
import type { DistributedRun } from '../../src/model/share/distributed.ts'
import type { Event } from '../../src/model/run/event.ts'
import { BIN, cleanEnv } from '../e2e/support/program.ts'
import { temporaryFolder } from './catalog-kit.ts'
import { startPostgres, type PostgresServer } from './servers/postgresql.ts'

/** Whether a program can get its own host name, process ids and network. */
export const NAMESPACES =
  spawnSync('unshare', ['--uts', '--pid', '--net', '--fork', '--mount-proc', 'hostname', 'probe']).status === 0

/** Preloaded into a program to set its clock one hour ahead. */
const HOUR_AHEAD = `const now = Date.now; Date.now = () => now() + 3_600_000`

export type WorkerOptions = {
  readonly host?: string
  /** Stores that replace those of the stage. */
  readonly stores?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** Its clock is an hour ahead of the servers'. */
  readonly hourAhead?: boolean
  /** Preloaded into the worker and its worker processes. */
  readonly preload?: string
  /** Uses TCP to reach servers, so it gets no network namespace. */
  readonly overTcp?: boolean
  /** Additional environment variables. */
  readonly env?: Readonly<Record<string, string>>
}

export class TestWorker {
  readonly child: ChildProcess
  #text = ''
  #err = ''
  readonly ended: Promise<number | null>

  constructor(child: ChildProcess) {
    this.child = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#text += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#err += text))
    this.ended = new Promise((resolve) => child.once('close', resolve))
  }

  get events(): readonly Event[] {
    return this.#text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Event)
  }

  get said(): string {
    return this.#text + this.#err
  }

  /** States of its worker processes, in the order in which it reported them. */
  get slots(): readonly string[] {
    return this.events.flatMap((event) => (event.type === 'worker.slot' ? [event.state] : []))
  }

  /** Process ids of the programs that it has started with this entry file. */
  programs(entry: string): readonly number[] {
    const group = String(this.child.pid)
    return readdirSync('/proc').flatMap((pid) => {
      try {
        const isOwn = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[2] === group
        return isOwn && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(entry) ? [Number(pid)] : []
      } catch {
        return []
      }
    })
  }

  /** Sends a signal to the program and its child processes, as if a machine hangs or fails. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.child
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // The process has ended.
    }
  }
}

export class WorkerStage implements AsyncDisposable {
  readonly folder: string
  readonly data: PostgresServer
  readonly queue: PostgresServer
  readonly #workers: TestWorker[] = []
  readonly #stores: Readonly<Record<string, string>>
  #hosts = 0

  private constructor(
    folder: string,
    data: PostgresServer,
    queue: PostgresServer,
    stores: Readonly<Record<string, string>>,
  ) {
    this.folder = folder
    this.data = data
    this.queue = queue
    this.#stores = stores
  }

  /**
   * Two servers: one with the databases `source`, `target` and `other`, one with the queue.
   * @param settings additional ones of the first server, such as `wal_level=logical`
   * @param stores URLs that replace those of the servers, for every program
   */
  static async open(
    settings: readonly string[] = [],
    stores: Readonly<Record<string, string>> = {},
  ): Promise<WorkerStage> {
    const { path: folder } = temporaryFolder()
    const data = await startPostgres({ extraSettings: ['max_connections=200', ...settings] })
    const queue = await startPostgres({ extraSettings: ['max_connections=200'] })
    for (const name of ['source', 'target', 'other']) await data.createDatabase(name)
    await queue.createDatabase('queue')
    const stage = new WorkerStage(folder, data, queue, stores)
    stage.#config(folder, {}, 'desk')
    return stage
  }

  /** Over the socket file, which every namespace of this machine can reach. */
  urlOf(server: PostgresServer, database: string): string {
    const url = server.url(database).replace(/@[^/]*\//, `@localhost:${server.port}/`)
    return `${url}?host=${encodeURIComponent(server.socketFolder)}`
  }

  async ask<R extends pg.QueryResultRow>(server: PostgresServer, database: string, sql: string): Promise<readonly R[]> {
    const client = new pg.Client({ connectionString: server.url(database) })
    client.on('error', () => undefined)
    await client.connect()
    try {
      const { rows } = await client.query<R>(sql)
      return rows
    } finally {
      await client.end()
    }
  }

  /** Starts a command of a user who begins or inspects runs. */
  desk(...args: readonly string[]): TestWorker {
    const child = spawn(process.execPath, [BIN, '--json', ...args], {
      cwd: this.folder,
      detached: true,
      env: this.#env('desk'),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return new TestWorker(child)
  }

  /** Runs such a command to its end. */
  async sluice(...args: readonly string[]): Promise<{ code: number | null; events: readonly Event[]; err: string }> {
    const program = this.desk(...args)
    const code = await program.ended
    return { code, events: program.events, err: program.said }
  }

  /** @returns the id of the new distributed run */
  async distribute(...args: readonly string[]): Promise<string> {
    const { code, events, err } = await this.sluice(...args, '--distributed')
    const row = events.find((event) => event.type === 'row')
    if (code !== 0 || row?.type !== 'row') throw new Error(`nothing was queued, exit ${code}: ${err}`)
    return String(row.values[0])
  }

  worker({
    host,
    stores = {},
    args = [],
    hourAhead = false,
    preload,
    overTcp = false,
    env = {},
  }: WorkerOptions = {}): TestWorker {
    const name = host ?? `host${(this.#hosts += 1)}`
    const folder = path.join(this.folder, name)
    mkdirSync(folder, { recursive: true })
    this.#config(folder, stores, name)
    const first = path.join(folder, 'first.mjs')
    const isFirst = hourAhead || preload !== undefined
    if (isFirst) writeFileSync(first, preload ?? HOUR_AHEAD)
    const words = [process.execPath, BIN, 'worker', '--json', ...args]
    const apart = ['--uts', '--pid', '--fork', '--mount-proc', ...(overTcp ? [] : ['--net'])]
    const command = NAMESPACES ? ['unshare', ...apart, 'sh', '-c', 'hostname "$0" && exec "$@"', name, ...words] : words
    const child = spawn(command[0] ?? '', command.slice(1), {
      cwd: folder,
      detached: true,
      env: { ...this.#env(name), ...env, ...(isFirst ? { NODE_OPTIONS: `--import ${first}` } : {}) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const worker = new TestWorker(child)
    this.#workers.push(worker)
    return worker
  }

  /** State of the run, from the queue. */
  async run(runId: string): Promise<DistributedRun> {
    await using queue = await openQueue(this.urlOf(this.queue, 'queue'), 'read')
    const [found] = await queue.runs(1, runId)
    if (found === undefined) throw new Error(`the queue has no run ${runId}`)
    return found
  }

  /**
   * Waits for a state.
   * @param isSo returns `true` once it is reached, otherwise what was seen instead
   * @throws Error if it is not reached, with what was seen last, the tasks in the queue, what sessions of the data
   * server wait for, and the output of workers
   */
  async until(what: string, isSo: () => unknown, ms = 90_000): Promise<void> {
    const from = performance.now()
    for (;;) {
      const seen = await isSo()
      if (seen === true) return
      if (performance.now() - from > ms) {
        const said = this.#workers.map((worker, at) => `worker ${at + 1}: ${worker.said.slice(-2000)}`)
        const last = seen === false ? [] : [`last seen: ${JSON.stringify(seen)}`]
        throw new Error([`${what} did not come in ${ms} ms`, ...last, ...(await this.#standing()), ...said].join('\n'))
      }
      await sleep(100)
    }
  }

  /** Tasks in the queue, and sessions of the data server that are in a transaction. */
  async #standing(): Promise<readonly string[]> {
    const slots = this.ask(
      this.queue,
      'queue',
      `SELECT s.run_id, s.slot_no, s.state, s.turns, s.rests, w.host, round(extract(epoch FROM now() - s.beat_at)) AS silent_s, s.error
       FROM sluice_queue.sluice_run_slots s LEFT JOIN sluice_queue.sluice_workers w USING (worker_id)`,
    )
    const sessions = this.ask(
      this.data,
      'postgres',
      `SELECT pid, datname, state, wait_event_type, wait_event, pg_blocking_pids(pid) AS blocked_by, round(extract(epoch FROM now() - xact_start)) AS s,
         left(query, 120) AS query FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()`,
    )
    const found = await Promise.allSettled([slots, sessions])
    const shown = found.map((one) => (one.status === 'fulfilled' ? one.value : [String(one.reason)]))
    return ['slots', 'sessions'].map((name, at) => `${name}: ${JSON.stringify(shown[at])}`)
  }

  /** Ends all workers, also those of an earlier attempt of the test. */
  async endWorkers(): Promise<void> {
    const workers = this.#workers.splice(0)
    for (const worker of workers) worker.signal('SIGKILL')
    await Promise.all(workers.map(({ ended }) => ended))
  }

  /** Empties the queue of runs and workers: a worker of a failed test would take the tasks of all later tests. */
  async forgetRuns(): Promise<void> {
    await this.endWorkers()
    const [made] = await this.ask<{ there: boolean }>(
      this.queue,
      'queue',
      `SELECT to_regnamespace('sluice_queue') IS NOT NULL AS there`,
    )
    if (made?.there !== true) return
    const sql = `DELETE FROM sluice_queue.sluice_runs; DELETE FROM sluice_queue.sluice_workers; DELETE FROM graphile_worker._private_jobs`
    await this.ask(this.queue, 'queue', sql)
  }

  /** Completed chunks in the target's ledger. */
  async chunksDone(): Promise<number> {
    try {
      const sql = `SELECT count(*)::int AS n FROM migration_checkpoints WHERE status = 'completed'`
      return (await this.ask<{ n: number }>(this.data, 'target', sql))[0]?.n ?? 0
    } catch {
      return 0
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endWorkers()
    await this.data[Symbol.asyncDispose]()
    await this.queue[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #env(host: string): NodeJS.ProcessEnv {
    const own = path.join(this.folder, `state-${host}`)
    mkdirSync(own, { recursive: true })
    return { ...cleanEnv(), XDG_STATE_HOME: own, XDG_RUNTIME_DIR: own, HOME: own }
  }

  /** A config file that is trusted by the user of that host. */
  #config(folder: string, other: Readonly<Record<string, string>>, host: string): void {
    const stores = {
      shop: this.urlOf(this.data, 'source'),
      cold: this.urlOf(this.data, 'target'),
      queue: this.urlOf(this.queue, 'queue'),
      ...this.#stores,
      ...other,
    }
    const lines = Object.entries(stores).map(([name, url]) => `  ${name}: ${JSON.stringify(url)}`)
    const file = path.join(folder, 'sluice.yaml')
    writeFileSync(file, ['stores:', ...lines, 'connect: queue', ''].join('\n'))
    trustFile(file, this.#env(host))
  }
}

/** Creates the source table. */
export async function makeOrders(stage: WorkerStage, rows: number): Promise<void> {
  await stage.ask(
    stage.data,
    'source',
    `DROP TABLE IF EXISTS orders;
     CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS note, g * 1.5 AS amount FROM generate_series(1, ${rows}) g;
     ALTER TABLE orders ADD PRIMARY KEY (id); ANALYZE orders`,
  )
}

/**
 * Creates a target table without a key, in which a duplicate row is visible; a trigger records each inserted row in
 * `brought`.
 */
export async function noteRows(stage: WorkerStage): Promise<void> {
  await stage.ask(
    stage.data,
    'target',
    `CREATE TABLE IF NOT EXISTS orders (id int NOT NULL, note text, amount numeric);
     CREATE TABLE brought (id int, at timestamptz);
     CREATE FUNCTION note_rows() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN INSERT INTO brought SELECT id, clock_timestamp() FROM fresh; RETURN NULL; END $$;
     CREATE TRIGGER noted AFTER INSERT ON orders REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_rows()`,
  )
}

/** Count, distinct ids and checksum of both sides. */
export async function compared(stage: WorkerStage): Promise<{ source: string; target: string }> {
  const sql = `SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || md5(string_agg(id || note || amount, ',' ORDER BY id)) AS sum FROM orders`
  const [source] = await stage.ask<{ sum: string }>(stage.data, 'source', sql)
  const [target] = await stage.ask<{ sum: string }>(stage.data, 'target', sql)
  return { source: source?.sum ?? 'none', target: target?.sum ?? 'none' }
}
