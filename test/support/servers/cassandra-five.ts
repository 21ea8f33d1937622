/**
 * A node of a real Cassandra 5.0, for features that older servers lack. Its jars are those of `cassandra-all`, which
 * Maven downloads.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectCassandra } from '../../../src/stores/cassandra/connect.ts'
import { freePort } from './free-port.ts'

const RELEASE = '5.0.8'
const LIB = process.env['SLUICE_CASSANDRA5_LIB'] ?? path.join(os.homedir(), `.cache/sluice-cassandra-${RELEASE}/lib`)
/** `host:port` of a running server, version 5.0 or later. */
const NAMED = process.env['CASSANDRA5_CONTACT_POINTS'] ?? ''
const START_MS = 120_000

/** Why no such node is available; empty if one is. */
export const FIVE_MISSING =
  NAMED !== '' || existsSync(path.join(LIB, `cassandra-all-${RELEASE}.jar`))
    ? ''
    : `SLUICE_CASSANDRA5_LIB names no folder with the jars of cassandra-all ${RELEASE}`

if (FIVE_MISSING !== '') process.stderr.write(`tests of Cassandra 5.0 are skipped: ${FIVE_MISSING}\n`)

export type FiveOptions = {
  /** Login with a password: the superuser is cassandra/cassandra. */
  readonly users?: true
  /** Additional settings of cassandra.yaml. */
  readonly yaml?: Readonly<Record<string, unknown>>
}

export type Five = AsyncDisposable & {
  /** @param login `user:password` @param query of the URL */
  url(keyspace?: string, login?: string, query?: string): string
  /** Runs statements, as the superuser if there are users. */
  cql(...statements: readonly string[]): Promise<void>
  rows(cql: string): Promise<readonly (readonly unknown[])[]>
}

/** Starts a new node, or uses the named one. @throws Error with the end of its log */
export async function startFive(options: FiveOptions = {}): Promise<Five> {
  const isNamed = NAMED !== '' && Object.keys(options).length === 0
  const node = isNamed ? null : await startNode(options)
  const address = node?.address ?? NAMED
  const superuser = options.users === true ? 'cassandra:cassandra' : ''
  const url = (keyspace = '', login = superuser, query = ''): string =>
    `cassandra://${login === '' ? '' : `${login}@`}${address}/${keyspace}${query === '' ? '' : `?${query}`}`
  const withClient = async <T>(
    body: (run: (cql: string) => Promise<readonly (readonly unknown[])[]>) => Promise<T>,
  ) => {
    await using link = await connectCassandra(url(), { readConsistency: 'ONE', writeConsistency: 'ONE' })
    return await body(async (cql) => {
      const { rows } = await link.client.execute(cql)
      // For a statement without a result the driver returns no rows.
      return ((rows as typeof rows | undefined) ?? []).map((row) => row.values() as unknown[])
    })
  }
  if (options.users === true) await answers(() => withClient(async (run) => run('LIST ROLES')))
  return {
    url,
    cql: (...statements) =>
      withClient(async (run) => {
        for (const statement of statements) await run(statement)
      }),
    rows: (cql) => withClient(async (run) => run(cql)),
    [Symbol.asyncDispose]: async () => node?.stop(),
  }
}

type Running = { readonly address: string; stop(): Promise<void> }

async function startNode({ users, yaml }: FiveOptions): Promise<Running> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sluice-test-cassandra5-'))
  for (const name of ['data', 'commitlog', 'saved_caches', 'hints', 'cdc', 'conf']) mkdirSync(path.join(folder, name))
  const [port, storage] = [await freePort(), await freePort()]
  const ip = '127.0.0.1'
  const settings = {
    cluster_name: 'sluice5',
    num_tokens: 4,
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    commitlog_sync: 'periodic',
    commitlog_sync_period: '10000ms',
    endpoint_snitch: 'SimpleSnitch',
    seed_provider: [
      { class_name: 'org.apache.cassandra.locator.SimpleSeedProvider', parameters: [{ seeds: `${ip}:${storage}` }] },
    ],
    listen_address: ip,
    rpc_address: ip,
    storage_port: storage,
    native_transport_port: port,
    data_file_directories: [path.join(folder, 'data')],
    commitlog_directory: path.join(folder, 'commitlog'),
    saved_caches_directory: path.join(folder, 'saved_caches'),
    hints_directory: path.join(folder, 'hints'),
    cdc_raw_directory: path.join(folder, 'cdc'),
    auto_snapshot: false,
    hinted_handoff_enabled: false,
    materialized_views_enabled: true,
    sasi_indexes_enabled: true,
    memtable_allocation_type: 'heap_buffers',
    ...(users === true ? { authenticator: 'PasswordAuthenticator', authorizer: 'CassandraAuthorizer' } : {}),
    ...yaml,
  }
  // JSON is valid YAML.
  writeFileSync(path.join(folder, 'conf/cassandra.yaml'), JSON.stringify(settings))
  const log = path.join(folder, 'system.log')
  writeFileSync(path.join(folder, 'conf/logback.xml'), logback(log))
  const child = spawn('java', javaWords(folder), { cwd: folder, stdio: 'ignore' })
  const kill = (): void => void child.kill('SIGKILL')
  process.on('exit', kill)
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null && child.signalCode === null) {
      kill()
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  }
  const deadline = performance.now() + START_MS
  while (!(await isOpen(ip, port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      const tail = existsSync(log) ? readFileSync(log, 'utf8').slice(-3000) : ''
      await stop()
      throw new Error(`Cassandra ${RELEASE} does not start (exit code ${child.exitCode}):\n${tail}`)
    }
    await sleep(100)
  }
  return { address: `${ip}:${port}`, stop }
}

const exported = (module: string, ...names: readonly string[]): readonly string[] =>
  names.map((name) => `--add-exports=${module}/${name}=ALL-UNNAMED`)
const opened = (module: string, ...names: readonly string[]): readonly string[] =>
  names.map((name) => `--add-opens=${module}/${name}=ALL-UNNAMED`)

function javaWords(folder: string): readonly string[] {
  const agent = readdirSync(LIB).find((name) => name.startsWith('jamm-')) ?? ''
  return [
    `-javaagent:${path.join(LIB, agent)}`,
    '-Xss512k',
    '-Xms256m',
    '-Xmx1024m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Djdk.attach.allowAttachSelf=true',
    '-Dio.netty.tryReflectionSetAccessible=true',
    '-Dio.netty.allocator.maxOrder=11',
    ...exported('java.base', 'jdk.internal.misc', 'java.lang.ref', 'jdk.internal.ref', 'sun.nio.ch'),
    ...exported('java.management.rmi', 'com.sun.jmx.remote.internal.rmi'),
    ...exported('java.management', 'com.sun.jmx.remote.security'),
    ...exported('java.rmi', 'sun.rmi.registry', 'sun.rmi.server'),
    ...exported('jdk.unsupported', 'sun.misc'),
    ...exported('jdk.attach', 'sun.tools.attach'),
    ...opened('java.base', 'java.lang.module', 'jdk.internal.loader', 'jdk.internal.ref', 'jdk.internal.reflect'),
    ...opened(
      'java.base',
      'jdk.internal.math',
      'jdk.internal.module',
      'jdk.internal.util.jar',
      'java.util.concurrent.atomic',
    ),
    ...opened(
      'java.base',
      'sun.nio.ch',
      'java.io',
      'java.lang.reflect',
      'java.lang',
      'java.util',
      'java.nio',
      'java.net',
    ),
    ...opened('java.base', 'jdk.internal.vm', 'java.util.concurrent'),
    ...opened('jdk.management', 'com.sun.management.internal'),
    `-Dcassandra.config=file://${folder}/conf/cassandra.yaml`,
    `-Dlogback.configurationFile=file:${folder}/conf/logback.xml`,
    `-Dcassandra.storagedir=${folder}`,
    '-Dcassandra-foreground=yes',
    '-Djava.net.preferIPv4Stack=true',
    `-Djava.io.tmpdir=${folder}`,
    '-Dcassandra.ring_delay_ms=0',
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dchronicle.analytics.disable=true',
    '-cp',
    `${folder}/conf:${LIB}/*`,
    'org.apache.cassandra.service.CassandraDaemon',
  ]
}

function logback(file: string): string {
  return `<configuration><appender name="F" class="ch.qos.logback.core.FileAppender"><file>${file}</file><encoder><pattern>%-5level %d [%t] %F:%L - %m%n</pattern></encoder></appender><root level="WARN"><appender-ref ref="F"/></root></configuration>`
}

async function answers(ask: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + START_MS
  for (;;) {
    try {
      await ask()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(500)
    }
  }
}

function isOpen(ip: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, ip)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
