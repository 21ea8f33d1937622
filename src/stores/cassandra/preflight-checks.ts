/** Doctor's verdicts on a Cassandra cluster. */
import type { Clock } from '../../shared/clock.ts'
import type { CassandraLink } from './connect.ts'
import { levelName } from './consistency.ts'
import { noKeyspace } from './errors.ts'
import {
  clockSkew,
  keyspaceCount,
  nodesOf,
  ping,
  replicationOf,
  cassandraRights,
  schemaVersions,
} from './cluster-facts.ts'
import { roundTripVerdict } from '../common/round-trip.ts'
import { isLocalHost } from '../common/tls.ts'
import { fail, failedVerdict, ok, warn, type Verdict } from '../../model/run/verdict.ts'
import { countText, tookText } from '../../shared/figures.ts'

const SKEW_WARN_MS = 500
const SKEW_FAIL_MS = 10_000

export function cassandraRoundTripVerdict(link: CassandraLink): Promise<Verdict> {
  return roundTripVerdict(() => ping(link), {
    cause: 'every page and every write needs one round trip',
    hint: 'run sluice nearer to the cluster',
  })
}

export function encryptionVerdict({ encrypted, settings }: CassandraLink): Verdict {
  const isLocal = settings.hosts.every((host) => isLocalHost(host))
  const { tls } = settings
  if (!encrypted) {
    if (isLocal) return ok('not encrypted; it stays on this machine')
    return warn('not encrypted', { cause: `the mode is ${tls.mode}`, hint: 'write sslmode=verify-full in the URL' })
  }
  if (tls.options?.rejectUnauthorized === true) {
    return ok(`encrypted, certificate${tls.verifyHost ? ' and host' : ''} checked`)
  }
  if (isLocal) return ok('encrypted, certificate not checked; it stays on this machine')
  return warn('encrypted, but the identity of the server was not checked', {
    cause: `mode ${tls.mode} does not check the certificate`,
    hint: 'write sslmode=verify-full in the URL, with sslrootcert=/path/ca.pem if you use your own CA',
  })
}

export function releaseVerdict({ release, protocol, settings, cluster }: CassandraLink): Verdict {
  return ok(`${settings.ycql ? 'YCQL' : 'Cassandra'} ${release}, native protocol ${protocol}, cluster ${cluster}`)
}

const RINGS: Readonly<Record<CassandraLink['partitioner'], string>> = {
  murmur3: 'Murmur3Partitioner: tokens from -2^63 to 2^63 - 1',
  random: 'RandomPartitioner: tokens from 0 to 2^127',
  ycql: 'partition_hash of YugabyteDB: from 0 to 65535',
}

export function ringVerdict({ partitioner }: CassandraLink): Verdict {
  return ok(RINGS[partitioner])
}

export function nodesVerdict(link: CassandraLink): Verdict {
  const nodes = nodesOf(link)
  const down = nodes.filter(({ isUp }) => !isUp)
  const centers = [...new Set(nodes.map(({ datacenter }) => datacenter))].map((name) => {
    const count = nodes.filter(({ datacenter }) => datacenter === name).length
    return `${count} in ${name}${name === link.datacenter ? ', the local one' : ''}`
  })
  const found = `${nodes.length - down.length} of ${countText(nodes.length, 'node')} up: ${centers.join('; ')}`
  if (down.length === 0) return ok(found)
  return warn(found, {
    cause: `down: ${down.map(({ address }) => address).join(', ')}`,
    hint: 'start them, or use a consistency level that the other nodes can provide',
  })
}

/**
 * Checks that all nodes have the same schema: a node with another schema refuses or misreads what the others accept.
 */
export async function schemaVerdict(link: CassandraLink): Promise<Verdict> {
  const { versions, nodes } = await schemaVersions(link)
  if (versions <= 1) return ok('the same on all nodes')
  return warn(`${versions} versions among ${countText(nodes, 'node')}`, {
    cause: 'a schema change is in progress, or a node was down during one',
    hint: 'wait, then run nodetool describecluster; restart a node that still has another version',
  })
}

/** Checks the replication: number of copies of each row, and how many of them have to answer. */
export async function keyspaceVerdict(link: CassandraLink): Promise<Verdict> {
  const { settings, datacenter } = link
  const { keyspace } = settings
  if (keyspace === null) return ok(`none in the URL; the cluster has ${keyspaceCount(link)}`)
  const replication = await replicationOf(link, keyspace)
  if (replication === null) return failedVerdict(noKeyspace(keyspace, settings))
  const { strategy, copies } = replication
  const isSimple = strategy === 'SimpleStrategy'
  const near = Number(copies.get(isSimple ? 'replication_factor' : datacenter) ?? 0)
  const levels = [...new Set([link.readLevel, link.writeLevel])].map((level) => levelName(level)).join(' and ')
  const shown = [...copies].map(([name, count]) => `${name} ${count}`).join(', ')
  const found = `${keyspace}: ${strategy}, ${shown}; read and written at ${levels}`
  const centers = new Set(nodesOf(link).map((node) => node.datacenter)).size
  if (isSimple && centers > 1) {
    return warn(found, {
      cause: `SimpleStrategy ignores the ${centers} data centers, and places replicas anywhere`,
      hint: `ALTER KEYSPACE "${keyspace}" to NetworkTopologyStrategy, then nodetool repair`,
    })
  }
  if (near === 0 && strategy === 'NetworkTopologyStrategy') {
    const hint = 'set dc= to a data center that has replicas, or use a level without LOCAL_'
    return warn(found, { cause: `the local data center ${datacenter} has no replicas`, hint })
  }
  if (near === 1) {
    return warn(found, {
      cause: 'one replica of each row: rows of a node that is down cannot be read',
      hint: `ALTER KEYSPACE "${keyspace}" to three copies, then nodetool repair`,
    })
  }
  return ok(found)
}

const WANTED = ['SELECT', 'MODIFY', 'CREATE'] as const

export async function rightsVerdict(link: CassandraLink): Promise<Verdict> {
  const { user } = link.settings
  const said = await cassandraRights(link)
  if (said.kind === 'everything') {
    if (said.why === 'superuser') return ok(`${user ?? ''} is a superuser`)
    return ok(said.why === 'no login' ? 'the cluster does not require a login' : 'the cluster does not check rights')
  }
  const missing = WANTED.filter((right) => !said.rights.includes(right))
  if (missing.length === 0) return ok('tables can be read, written and created')
  const grants = missing.map((right) => `GRANT ${right} ON ${said.on} TO '${user ?? ''}'`)
  return warn(`the user has no right to ${missing.join(', ')} on ${said.on.replace('KEYSPACE "', 'the keyspace "')}`, {
    cause: 'a source needs SELECT, a target SELECT, MODIFY and CREATE; rights on single tables are not checked here',
    hint: `as a superuser: ${grants.join('; ')}`,
  })
}

/**
 * Checks the clocks of the nodes and of this machine: both set write times, and of two writes of a row the later time
 * wins.
 */
export async function clocksVerdict(link: CassandraLink, clock: Pick<Clock, 'now'>): Promise<Verdict> {
  const { ms, address } = await clockSkew(link, clock)
  const amount = Math.abs(ms)
  if (amount < 50) return ok('the same time here and on all nodes that are up')
  const found = `node ${address} is ${tookText(amount)} ${ms > 0 ? 'ahead of' : 'behind'} this machine`
  if (amount <= SKEW_WARN_MS) return ok(found)
  const trouble = {
    cause: 'of two writes of a row the one with the later timestamp wins, even if it was made first',
    hint: 'synchronise the clocks of all machines (NTP)',
  }
  return amount > SKEW_FAIL_MS ? fail(found, trouble) : warn(found, trouble)
}
