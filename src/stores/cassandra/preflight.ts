/**
 * Doctor's checks of a Cassandra cluster as source or target of copies: whether its nodes answer, how rows are
 * distributed, and what this login may do.
 */
import type { Clock } from '../../shared/clock.ts'
import { ok, type Verdict } from '../../model/run/verdict.ts'
import { tookText } from '../../shared/figures.ts'
import type { Checks } from '../common/preflight-port.ts'
import { cassandraSettings } from './config.ts'
import { connectCassandra, type CassandraLink } from './connect.ts'
import { cassandraError } from './errors.ts'
import {
  clocksVerdict,
  encryptionVerdict,
  keyspaceVerdict,
  nodesVerdict,
  releaseVerdict,
  rightsVerdict,
  ringVerdict,
  cassandraRoundTripVerdict,
  schemaVerdict,
} from './preflight-checks.ts'

const AREA = 'database'

export async function inspectCassandra(checks: Checks, url: string, clock: Pick<Clock, 'now'>): Promise<void> {
  const address = await checks.check(AREA, 'address', async () => ok(cassandraSettings(url).label))
  if (address.verdict?.status !== 'ok') return
  const opened: { link: CassandraLink | null } = { link: null }
  await checks.check(AREA, 'login', async (signal) => {
    const begun = performance.now()
    const link = await connectCassandra(withShortTimeouts(url), { signal, withoutKeyspace: true })
    opened.link = link
    const { user } = link.settings
    return ok(`${user === null ? 'without a user' : `as ${user}`}, in ${tookText(performance.now() - begun)}`)
  })
  const { link } = opened
  if (link === null) return
  const inspections: readonly (readonly [name: string, inspect: () => Promise<Verdict | null>])[] = [
    ['round trip', () => cassandraRoundTripVerdict(link)],
    ['encryption', async () => encryptionVerdict(link)],
    ['release', async () => releaseVerdict(link)],
    ['ring', async () => ringVerdict(link)],
    ['nodes', async () => nodesVerdict(link)],
    ['schema', () => schemaVerdict(link)],
    ['keyspace', () => keyspaceVerdict(link)],
    ['rights', () => rightsVerdict(link)],
    ['clocks', () => clocksVerdict(link, clock)],
  ]
  try {
    for (const [name, inspect] of inspections) {
      const failing = (thrown: unknown): never => {
        throw cassandraError(thrown, link.settings, 'read')
      }
      if ((await checks.check(AREA, name, () => inspect().catch(failing))).late) return
    }
  } finally {
    await link[Symbol.asyncDispose]()
  }
}

/** The URL with timeouts that end within the time of a check. */
function withShortTimeouts(url: string): string {
  const [base = '', query = ''] = url.split(/\?(.*)/s)
  const kept = query.split('&').filter((pair) => pair !== '' && !/^(?:connect|request)_timeout=/.test(pair))
  return `${base}?${[...kept, 'connect_timeout=4', 'request_timeout=4'].join('&')}`
}
