/** Connects to a cluster, and reads the facts about it that are needed first. */
import { Client, ExecutionProfile, policies, type ClientOptions } from 'cassandra-driver'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { cassandraSettings, type CassandraSettings, type CassandraEnvironment } from './config.ts'
import { consistencyOf, DEFAULT_LEVEL, DEFAULT_SERIAL } from './consistency.ts'
import { speaksTls, tlsOptions } from './encryption.ts'
import { cassandraError, noKeyspace } from './errors.ts'
import type { OnRetry } from './failure.ts'

export type Partitioner = 'murmur3' | 'random' | 'ycql'

export type CassandraLink = AsyncDisposable & {
  readonly client: Client
  readonly settings: CassandraSettings
  /** For example '2.1.0'. */
  readonly release: string
  /** Version of the native protocol: 3 from 2.1 on, 4 from 2.2 on. */
  readonly protocol: number
  readonly partitioner: Partitioner
  /** Name of the cluster: a part of the identity of the store. */
  readonly cluster: string
  readonly datacenter: string
  /** True if the connections are encrypted. */
  readonly encrypted: boolean
  /** Numbers of the consistency levels for reads and writes. */
  readonly readLevel: number
  readonly writeLevel: number
  readonly serialLevel: number
  readonly onRetry?: OnRetry
}

export type ConnectOptions = {
  readonly environment?: CassandraEnvironment
  readonly signal?: AbortSignal
  /** Names of consistency levels; default: the levels of the URL, otherwise LOCAL_QUORUM. */
  readonly readConsistency?: string
  readonly writeConsistency?: string
  /** True if a missing keyspace is not an error. */
  readonly withoutKeyspace?: true
  readonly onRetry?: OnRetry
}

const PARTITIONERS: Readonly<Record<string, Partitioner>> = {
  Murmur3Partitioner: 'murmur3',
  RandomPartitioner: 'random',
}

type LocalNode = {
  readonly release: string
  readonly protocol: number
  readonly partitioner: string
  readonly cluster: string
  readonly datacenter: string
}

/**
 * @param url `cassandra://user:password@host1:9042,host2/keyspace?dc=…&consistency=…&sslmode=…`, or `ycql://`
 * @throws SluiceError BAD_CONFIG, CONNECT_FAILED (retryable if the cluster may only be starting), TLS_FAILED,
 * UNSUPPORTED_URL for a partitioner whose ring cannot be split
 */
export async function connectCassandra(url: string, options: ConnectOptions = {}): Promise<CassandraLink> {
  const settings = cassandraSettings(url, options.environment)
  try {
    return await linked(settings, options)
  } catch (thrown) {
    const mostPageRows = pageGuardrail(thrown)
    if (mostPageRows === null) throw thrown
    return await linked({ ...settings, mostPageRows, pageRows: Math.min(settings.pageRows, mostPageRows) }, options)
  }
}

async function linked(settings: CassandraSettings, options: ConnectOptions): Promise<CassandraLink> {
  const level = (word: string | undefined): number =>
    consistencyOf(word ?? settings.consistency ?? DEFAULT_LEVEL.name).number
  const levels = {
    readLevel: level(options.readConsistency),
    writeLevel: level(options.writeConsistency),
    serialLevel: consistencyOf(settings.serialConsistency ?? DEFAULT_SERIAL.name).number,
  }
  if (options.signal !== undefined) throwIfAborted(options.signal)
  const encrypted =
    settings.tls.required ||
    (settings.tls.options !== null && (await unlessAborted(speaksTls(settings), options.signal)))
  const datacenter = settings.datacenter ?? (await findDatacenter(settings, encrypted, options.signal))
  const client = clientOf(settings, encrypted, levels, {
    localDataCenter: datacenter,
    pooling: {
      coreConnectionsPerHost: { '0': settings.poolSize, '1': 1, '2': 0 },
      maxRequestsPerConnection: 2048,
      heartBeatInterval: 30_000,
      warmup: true,
    },
  })
  try {
    const local = await connected(client, settings, options.signal)
    const { keyspace } = settings
    if (keyspace !== null && options.withoutKeyspace !== true && !Object.hasOwn(client.metadata.keyspaces, keyspace)) {
      throw noKeyspace(keyspace, settings)
    }
    return {
      client,
      settings,
      ...levels,
      ...local,
      encrypted,
      partitioner: partitionerOf(local.partitioner, settings),
      ...(options.onRetry === undefined ? {} : { onRetry: options.onRetry }),
      [Symbol.asyncDispose]: () => closed(client),
    }
  } catch (error) {
    await closed(client)
    throw error
  }
}

/** Reads the local datacenter from a node with a first connection, because the driver needs it before it connects. */
async function findDatacenter(settings: CassandraSettings, encrypted: boolean, signal?: AbortSignal): Promise<string> {
  const scout = clientOf(settings, encrypted, null, {
    isMetadataSyncEnabled: false,
    pooling: { coreConnectionsPerHost: { '0': 1, '1': 1, '2': 0 }, warmup: false },
    policies: { loadBalancing: new policies.loadBalancing.RoundRobinPolicy() },
  })
  try {
    return (await connected(scout, settings, signal)).datacenter
  } finally {
    await closed(scout)
  }
}

async function connected(client: Client, settings: CassandraSettings, signal?: AbortSignal): Promise<LocalNode> {
  const found = introduced(client, settings)
  try {
    return await unlessAborted(found, signal)
  } catch (error) {
    // The driver cannot be stopped while it connects: close the client after it has connected.
    if (signal?.aborted === true) found.then(() => client.shutdown()).catch(() => undefined)
    throw cassandraError(error, settings, 'connect')
  }
}

/** @throws the signal's reason as soon as it fires */
async function unlessAborted<T>(body: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await body
  let leave: (() => void) | undefined
  const aborted = new Promise<void>((resolve) => {
    leave = resolve
    signal.addEventListener('abort', leave, { once: true })
  })
  try {
    await Promise.race([body, aborted])
    throwIfAborted(signal)
    return await body
  } finally {
    if (leave !== undefined) signal.removeEventListener('abort', leave)
  }
}

/** Latest version of the native protocol that the driver may use with any server. */
const MOST_PROTOCOL = 4
/** Rows of the largest page that any statement requests. */
const LARGEST_PAGE = 100_000

/** Rows per page that the cluster's guardrail `page_size_fail_threshold` allows; null for another failure. */
function pageGuardrail(thrown: unknown): number | null {
  const text = thrown instanceof SluiceError ? `${thrown.where ?? ''} ${thrown.reason ?? ''}` : String(thrown)
  const [, most] = /page size \d+ exceeds (?:the )?fail(?:ure)? threshold of (\d+)/i.exec(text) ?? []
  return most === undefined ? null : Number(most)
}

async function introduced(client: Client, settings: CassandraSettings): Promise<LocalNode> {
  await client.connect()
  const { rows } = await client.execute(
    'SELECT release_version, native_protocol_version, partitioner, cluster_name, data_center FROM system.local',
    [],
    // Request the largest page size: if a guardrail limits pages, it then refuses this first statement and no later
    // one.
    { consistency: 1, fetchSize: settings.mostPageRows ?? LARGEST_PAGE },
  )
  const said = (name: string): string => String(rows[0]?.get(name) ?? '')
  return {
    release: said('release_version'),
    protocol: Math.min(MOST_PROTOCOL, Number(said('native_protocol_version')) || 3),
    partitioner: said('partitioner'),
    cluster: said('cluster_name'),
    datacenter: said('data_center'),
  }
}

/** Longest wait for a connection to close, ms: a frozen node does not acknowledge it. */
const CLOSE_MS = 1500

async function closed(client: Client): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)))
  await Promise.race([client.shutdown().catch(() => undefined), late])
  clearTimeout(timer)
}

function clientOf(
  settings: CassandraSettings,
  encrypted: boolean,
  levels: { readonly readLevel: number; readonly serialLevel: number } | null,
  more: Partial<ClientOptions>,
): Client {
  const { user, password, connectTimeoutMs, requestTimeoutMs } = settings
  const client = new Client({
    contactPoints: [...settings.contactPoints],
    // If the driver first tried a newer version, a server that requires a client certificate would drop the connection.
    protocolOptions: { port: settings.port, maxVersion: MOST_PROTOCOL },
    applicationName: 'sluice',
    encoding: { useUndefinedAsUnset: true, useBigIntAsLong: true, useBigIntAsVarint: true, map: Map, set: Set },
    queryOptions: {
      fetchSize: settings.pageRows,
      prepare: false,
      ...(levels === null ? {} : { consistency: levels.readLevel, serialConsistency: levels.serialLevel }),
    },
    // This read timeout is for the login and the driver's own requests; sluice's requests use the profile's timeout.
    socketOptions: { connectTimeout: connectTimeoutMs, readTimeout: connectTimeoutMs, keepAlive: true },
    profiles: [new ExecutionProfile('default', { readTimeout: requestTimeoutMs })],
    monitorReporting: { enabled: false },
    maxPrepared: 2000,
    ...(user === null ? {} : { credentials: { username: user, password: password ?? '' } }),
    ...(encrypted ? { sslOptions: tlsOptions(settings) } : {}),
    ...more,
    policies: {
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(250, 10_000, false),
      speculativeExecution: new policies.speculativeExecution.NoSpeculativeExecutionPolicy(),
      ...more.policies,
    },
  })
  // The driver emits errors that belong to no call; without a listener they would end the program.
  client.on('error', () => undefined)
  return client
}

function partitionerOf(written: string, settings: CassandraSettings): Partitioner {
  if (settings.ycql) return 'ycql'
  const name = written.split('.').at(-1) ?? ''
  const found = PARTITIONERS[name]
  if (found !== undefined) return found
  throw new SluiceError('UNSUPPORTED_URL', `the partitioner of the cluster is not supported: ${name || 'unknown'}`, {
    where: settings.label,
    reason: 'sluice supports Murmur3Partitioner and RandomPartitioner',
    hint: 'use another tool to copy the rows into a cluster with one of these partitioners first',
  })
}
