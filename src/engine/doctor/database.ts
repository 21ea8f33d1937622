/** The database of the catalog, from its address to its settings. What fails early leaves out what would fail for the same cause. */
import type { Clock } from '../../shared/clock.ts'
import type { SqlDatabase } from '../../stores/port.ts'
import { isLocalHost } from '../../stores/tls.ts'
import { parseCatalogUrl } from '../catalog-url.ts'
import { openCatalogDatabase } from '../registry.ts'
import { examineCatalog } from './catalog.ts'
import { ok, type Examination, type Verdict } from './examination.ts'
import { examineFile } from './local-file.ts'
import { examineNetwork, type Target } from './network.ts'
import { clockVerdict, locksVerdict, roundTripVerdict, type ServerCheck, type ServerWishes } from './server-check.ts'

const AREA = 'database'

type Run = { readonly clock: Clock; readonly runId: string }
type Server = { readonly target: Target; readonly wishes: ServerWishes; readonly checks: readonly ServerCheck[] }

export async function examineDatabase(examination: Examination, url: string, run: Run): Promise<void> {
  // These hold no catalog, and are looked at for copies.
  if (/^d1:/i.test(url)) return await (await import('./d1.ts')).examineD1(examination, url)
  if (/^(?:cassandra|ycql):/i.test(url)) {
    return await (await import('./cassandra.ts')).examineCassandra(examination, url, run.clock)
  }
  let server: Server | null = null
  let opens = false
  const parsed: { value?: ReturnType<typeof parseCatalogUrl> } = {}
  await examination.check(AREA, 'address', async () => {
    const catalog = (parsed.value = parseCatalogUrl(url))
    if ('url' in catalog) server = catalog.kind === 'postgresql' ? await postgresql(url) : await mysql(url)
    return ok(catalog.label)
  })
  const catalog = parsed.value
  if (catalog === undefined) return
  if ('file' in catalog) opens = await examineFile(examination, AREA, catalog.kind, catalog.file)
  else if (server !== null) opens = await examineNetwork(examination, AREA, (server as Server).target)
  if (!opens) return
  const database = await login(examination, url)
  if (database === null) return
  try {
    if (server !== null && !(await examineServer(examination, database, server, run))) return
    await examineCatalog(examination, database)
  } finally {
    await closed(database)
  }
}

async function postgresql(url: string): Promise<Server> {
  const [{ postgresSettings }, { postgresqlChecks }] = await Promise.all([
    import('../../stores/postgresql/settings.ts'),
    import('./postgresql.ts'),
  ])
  const { host, port, tls, poolSize, statementTimeoutMs } = postgresSettings(url)
  const target: Target = host.startsWith('/')
    ? { kind: 'socket', path: `${host}/.s.PGSQL.${port}` }
    : { kind: 'host', host, port }
  const wishes = { tls, poolSize, isLocal: isLocalHost(host), hasStatementTimeout: statementTimeoutMs !== null }
  return { target, wishes, checks: postgresqlChecks }
}

async function mysql(url: string): Promise<Server> {
  const [{ mysqlConfig }, { mysqlChecks }] = await Promise.all([
    import('../../stores/mysql/config.ts'),
    import('./mysql.ts'),
  ])
  const { host, port, socket, tls, poolSize } = mysqlConfig(url)
  const target: Target = socket === null ? { kind: 'host', host, port } : { kind: 'socket', path: socket }
  const wishes = { tls, poolSize, isLocal: socket !== null || isLocalHost(host), hasStatementTimeout: false }
  return { target, wishes, checks: mysqlChecks }
}

async function login(examination: Examination, url: string): Promise<SqlDatabase | null> {
  let database: SqlDatabase | null = null
  let given = false
  await examination.check(AREA, 'login', async (signal) => {
    const opened = await openCatalogDatabase(impatient(url), 'read')
    // Opened after its time was over: nobody waits for it any more.
    if (signal.aborted) await closed(opened)
    else {
      database = opened
      given = true
    }
    return ok(await loginName(opened))
  })
  return given ? database : null
}

async function loginName(database: SqlDatabase): Promise<string> {
  if (database.dialect === 'sqlite' || database.dialect === 'duckdb') return 'the file opens for reading'
  const [[name] = []] = await database.all('SELECT current_user')
  return `as ${String(name)}`
}

/** @returns false when the server went silent: what is asked next would wait too */
async function examineServer(
  examination: Examination,
  database: SqlDatabase,
  { checks, wishes }: Server,
  { clock, runId }: Run,
): Promise<boolean> {
  const looks: readonly (readonly [name: string, look: () => Promise<Verdict | null>])[] = [
    ['round trip', () => roundTripVerdict(database)],
    ...checks.map(({ name, look }) => [name, () => look(database, wishes)] as const),
    ['session locks', () => locksVerdict(database, `doctor ${runId}`)],
    ['clocks', () => clockVerdict(database, clock)],
  ]
  for (const [name, look] of looks) if ((await examination.check(AREA, name, look)).late) return false
  return true
}

/** Connects and gives up within the time of a check. Both servers read these parameters. */
function impatient(url: string): string {
  if (!/^(?:postgres(?:ql)?|mysql|mariadb):\/\//i.test(url)) return url
  const [base = '', query = ''] = (url.split('#', 1)[0] ?? '').split(/\?(.*)/s)
  const kept = query.split('&').filter((pair) => pair !== '' && !/^(?:connect_timeout|retry_seconds)=/.test(pair))
  return `${base}?${[...kept, 'connect_timeout=4', 'retry_seconds=0'].join('&')}`
}

/** A server that says nothing any more is not waited for. */
async function closed(database: SqlDatabase): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, 2_000)))
  await Promise.race([database.close().catch(() => undefined), late])
  clearTimeout(timer)
}
