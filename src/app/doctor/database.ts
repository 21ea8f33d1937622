/** Checks the catalog's database, from address to settings. After a failure, checks that depend on it are skipped. */
import type { Clock } from '../../shared/clock.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import type { ServerPreflight } from '../../stores/common/preflight-port.ts'
import { parseCatalogUrl, type CatalogUrl } from '../../engine/run/catalog-url.ts'
import { openCatalogDatabase } from '../../engine/run/registry.ts'
import { systemOf } from '../../engine/run/systems.ts'
import { inspectCatalog } from './catalog.ts'
import { asSluiceError } from '../../shared/errors.ts'
import { ok, warn, type Verdict } from '../../model/run/verdict.ts'
import type { Examination } from './examination.ts'
import { checkLocalFile } from './local-file.ts'
import { inspectNetwork } from './network.ts'
import { clockVerdict, locksVerdict, databaseRoundTripVerdict } from './server-check.ts'

const AREA = 'database'

type Run = { readonly clock: Clock; readonly runId: string }

export async function inspectDatabase(examination: Examination, url: string, run: Run): Promise<void> {
  // Systems without catalogs have their own checks, for copies.
  const inspect = systemOf(url)?.inspect
  if (inspect !== undefined) return await inspect(examination, url, run.clock)
  const known: { catalog?: CatalogUrl; server?: ServerPreflight | undefined } = {}
  await examination.check(AREA, 'address', async () => {
    const catalog = (known.catalog = parseCatalogUrl(url))
    known.server = await catalog.system.catalog.server?.(url)
    return ok(catalog.label)
  })
  const { catalog, server } = known
  if (catalog === undefined) return
  let opens = false
  if ('file' in catalog) opens = await checkLocalFile(examination, AREA, catalog.system.title, catalog.file)
  else if (server !== undefined) opens = await inspectNetwork(examination, AREA, server.target)
  if (!opens) return
  const database = await login(examination, catalog, url)
  if (database === null) return
  try {
    if (server !== undefined && !(await inspectServer(examination, database, server, run))) return
    await inspectCatalog(examination, database)
    if (server !== undefined) await examination.check(AREA, 'archives', (signal) => archivesVerdict(url, signal))
  } finally {
    await closeDatabase(database)
  }
}

async function login(examination: Examination, catalog: CatalogUrl, url: string): Promise<SqlDatabase | null> {
  let database: SqlDatabase | null = null
  let given = false
  await examination.check(AREA, 'login', async (signal) => {
    const opened = await openCatalogDatabase('file' in catalog ? url : withConnectTimeout(url), 'read')
    // The session was opened after the timeout: close it at once.
    if (signal.aborted) await closeDatabase(opened)
    else {
      database = opened
      given = true
    }
    return ok('file' in catalog ? 'the file opens for reading' : await loginName(opened))
  })
  return given ? database : null
}

async function loginName(database: SqlDatabase): Promise<string> {
  const [[name] = []] = await database.all('SELECT current_user')
  return `as ${String(name)}`
}

/** @returns false if the server stopped replying: further checks would time out too */
async function inspectServer(
  examination: Examination,
  database: SqlDatabase,
  { checks, options: requests }: ServerPreflight,
  { clock, runId }: Run,
): Promise<boolean> {
  const inspections: readonly (readonly [name: string, inspect: () => Promise<Verdict | null>])[] = [
    ['round trip', () => databaseRoundTripVerdict(database)],
    ...checks.map(({ name, inspect }) => [name, () => inspect(database, requests)] as const),
    ['session locks', () => locksVerdict(database, `doctor ${runId}`)],
    ['clocks', () => clockVerdict(database, clock)],
  ]
  for (const [name, inspect] of inspections) if ((await examination.check(AREA, name, inspect)).late) return false
  return true
}

/**
 * Partitions that an older version detached by mistake, because it read numbers as times; null if there are none.
 * Archives need their own session. If the database refuses this session, the archives are reported as not inspected.
 */
async function archivesVerdict(url: string, signal: AbortSignal): Promise<Verdict | null> {
  const { mistakenOf } = await import('../../archive/plan/wrongly-detached.ts')
  let found: Awaited<ReturnType<typeof mistakenOf>>
  try {
    found = await mistakenOf(url, signal)
  } catch (thrown) {
    const { code, message, hint } = asSluiceError(thrown)
    if (code !== 'CONNECT_FAILED') throw thrown
    return warn('not inspected', { cause: message, hint: hint ?? 'run sluice archive list to find the cause' })
  }
  const [first, ...others] = found
  if (first === undefined) return null
  const more = others.length === 0 ? '' : `; and of ${others.length} more tables`
  return warn(`${first.message}${more}`, { hint: first.hint })
}

/** The URL with a connection timeout below the time limit of a check. Every catalog server supports the parameters. */
function withConnectTimeout(url: string): string {
  const [base = '', query = ''] = (url.split('#', 1)[0] ?? '').split(/\?(.*)/s)
  const kept = query.split('&').filter((pair) => pair !== '' && !/^(?:connect_timeout|retry_seconds)=/.test(pair))
  return `${base}?${[...kept, 'connect_timeout=4', 'retry_seconds=0'].join('&')}`
}

/** Closes the database, and waits at most 2 s: the server may have stopped replying. */
async function closeDatabase(database: SqlDatabase): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, 2_000)))
  await Promise.race([database.close().catch(() => undefined), late])
  clearTimeout(timer)
}
