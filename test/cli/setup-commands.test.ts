/** `--schema`, and the commands that set up a database: the operations they start, and their output. */
import { describe, expect, it } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import { stamped } from './recorded.ts'
import { fakeContext, playingEngine } from './surroundings.ts'

const PG = 'postgresql://me:pw@db/lake'

async function catalogOf(words: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { request } = await parseCommandLine(words, env)
  if (request.kind === 'open') return request.target
  if (request.kind !== 'operation' || !('catalog' in request.operation)) throw new Error('no catalog was asked for')
  return request.operation.catalog ?? ''
}

async function refused(words: readonly string[], env: Record<string, string> = {}): Promise<SluiceError> {
  const error: unknown = await parseCommandLine(words, env).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof SluiceError) return error
  throw new Error(`no SluiceError, but ${String(error)}`)
}

describe('--schema', () => {
  it('becomes part of a PostgreSQL URL, and is read back from it', async () => {
    expect(await catalogOf(['runs', '--database-url', PG, '--schema', 'eu'])).toBe(`${PG}?schema=eu`)
    expect(await catalogOf(['runs', '--schema=eu', `--database-url=${PG}?sslmode=require`])).toBe(
      `${PG}?sslmode=require&schema=eu`,
    )
    expect(await catalogOf(['runs', '--database-url', `${PG}?`, '--schema', 'eu'])).toBe(`${PG}?schema=eu`)
    const odd = 'a b&c=d#e?%"ü'
    const url = await catalogOf(['runs', '--database-url', PG, '--schema', odd])
    expect(url).toBe(`${PG}?schema=a%20b%26c%3Dd%23e%3F%25%22%C3%BC`)
    expect(postgresSettings(url, {}).schema).toBe(odd)
    expect(await catalogOf([PG, '--schema', 'eu'])).toBe(`${PG}?schema=eu`)
    expect(await catalogOf(['--schema', 'eu', 'history', 't', '--database-url', PG])).toBe(`${PG}?schema=eu`)
  })
  it('may come from SLUICE_SCHEMA, which the flag overrides', async () => {
    const env = { SLUICE_DATABASE_URL: PG, SLUICE_SCHEMA: 'from_env' }
    expect(await catalogOf(['runs'], env)).toBe(`${PG}?schema=from_env`)
    expect(await catalogOf(['runs', '--schema', 'x'], env)).toBe(`${PG}?schema=x`)
    expect(await catalogOf(['runs'], { ...env, SLUICE_SCHEMA: '' })).toBe(PG)
    const { request } = await parseCommandLine(['discover', '.'], { SLUICE_SCHEMA: 'x' })
    expect(request).toMatchObject({ kind: 'operation', operation: { kind: 'discover' } })
  })
  it('is in the command that repeats a run', async () => {
    const { engine, started } = playingEngine(() => ended('runs'))
    const env = { SLUICE_DATABASE_URL: PG, SLUICE_SCHEMA: 'x' }
    expect(await main(['runs', '--ci'], fakeContext({ engine, env }))).toBe(0)
    expect(await main(['runs', '--ci', '--database-url', PG, '--schema', 'a b'], fakeContext({ engine }))).toBe(0)
    expect(started.map(({ commandLine }) => commandLine)).toEqual([
      'sluice runs --database-url "$SLUICE_DATABASE_URL" --schema "$SLUICE_SCHEMA"',
      `sluice runs --database-url postgresql://me@db/lake --schema 'a b'`,
    ])
  })
  it('is refused for other systems, without a catalog, or if the URL has another schema', async () => {
    for (const [url, hint] of [
      ['mysql://me@db/lake', 'MySQL: a schema is a database, name it in the URL'],
      ['mariadb://me@db/lake', 'MySQL: a schema is a database, name it in the URL'],
      ['sqlite:///c.db', 'SQLite: a file holds one catalog'],
      ['duckdb:///c.db', 'DuckDB: a file holds one catalog'],
    ] as const) {
      const error = await refused(['runs', '--database-url', url, '--schema', 'x'])
      expect(error).toMatchObject({ code: 'BAD_FLAG', message: '--schema is for PostgreSQL only' })
      expect(error.hint).toContain(hint)
    }
    const two = await refused(['runs', '--database-url', `${PG}?schema=a%62`, '--schema', 'x'])
    expect(two).toMatchObject({ code: 'BAD_FLAG', message: 'two schemas are given: x with --schema, ab in the URL' })
    expect(await catalogOf(['runs', '--database-url', `${PG}?schema=a%62`, '--schema', 'ab'])).toBe(`${PG}?schema=a%62`)
    expect(await refused(['runs', '--database-url', PG, '--schema', ''])).toMatchObject({
      message: '--schema is empty',
    })
    expect(await refused(['discover', '.', '--schema', 'x'])).toMatchObject({ message: '--schema needs a catalog' })
    expect(await refused(['.', '--schema', 'x'])).toMatchObject({ message: '--schema needs a catalog' })
    expect((await refused(['runs'], { SLUICE_DATABASE_URL: 'sqlite:///c.db', SLUICE_SCHEMA: 'x' })).message).toBe(
      'SLUICE_SCHEMA is for PostgreSQL only',
    )
  })
})

const ended = (command: string) =>
  stamped([
    [0, { type: 'run.started', command, tool: '0.1.0' }],
    [5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 5 }],
  ])

describe('grants', () => {
  it('needs a role and a name', async () => {
    const words = ['grants', '--database-url', PG, '--role', 'reader', '--to', 'ana@10.0.0.%', '--apply']
    const { request } = await parseCommandLine(words, {})
    const operation = { kind: 'grants', catalog: PG, role: 'reader', to: 'ana@10.0.0.%', apply: true }
    expect(request).toEqual({ kind: 'operation', operation })
    const odd = await refused(['grants', '--database-url', PG, '--role', 'owner', '--to', 'x'])
    expect(odd.message).toMatch(/^--role takes reader, importer, admin/)
    expect((await refused(['grants', '--database-url', PG, '--role', 'reader'])).message).toBe('--to is missing')
    const twice = await refused(['grants', '--database-url', PG, '--role', 'reader', '--role', 'admin', '--to', 'x'])
    expect(twice.code).toBe('BAD_FLAG')
  })
  it('needs the queue if the role is one of the queue', async () => {
    const { request } = await parseCommandLine(['grants', '--connect', PG, '--role', 'worker', '--to', 'host7'], {})
    const operation = { kind: 'queue-grants', connect: PG, role: 'worker', to: 'host7', apply: false }
    expect(request).toMatchObject({ kind: 'operation', operation })
    expect((await refused(['grants', '--role', 'worker', '--to', 'host7'])).message).toBe('no queue is given')
    const crossed = await refused(['grants', '--connect', PG, '--role', 'reader', '--to', 'x'])
    expect(crossed).toMatchObject({ code: 'BAD_FLAG', message: '--role reader and --connect exclude each other' })
  })
  it('prints only statements on stdout, so that a pipe can run them', async () => {
    const { engine } = playingEngine(() =>
      stamped([
        [0, { type: 'run.started', command: 'grants', tool: '0.1.0' }],
        [1, { type: 'statement', sql: 'GRANT USAGE ON SCHEMA "x" TO "r"', applied: false }],
        [1, { type: 'statement', sql: 'GRANT SELECT ON TABLE "x"."delta_files" TO "r"', applied: false }],
        [2, { type: 'log', level: 'note', message: 'a word beside' }],
        [5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { statements: '2', applied: '0' }, ms: 5 }],
      ]),
    )
    const around = fakeContext({ engine })
    expect(await main(['grants', '--ci', '--database-url', PG, '--role', 'reader', '--to', 'r'], around)).toBe(0)
    expect(around.out()).toBe('GRANT USAGE ON SCHEMA "x" TO "r";\nGRANT SELECT ON TABLE "x"."delta_files" TO "r";\n')
    expect(around.err()).toContain('note     a word beside')
    expect(around.err()).toContain('end      statements 2, applied 0')
  })
})

describe('runs --distributed', () => {
  it('lists paused and skipped tables, and how many tasks are not yet informed', async () => {
    const held = { type: 'shared.table', run: '7', table: 'public.a' } as const
    const { engine } = playingEngine(() =>
      stamped([
        [0, { type: 'run.started', command: 'shared-runs', tool: '0.1.0' }],
        [1, { ...held, held: 'paused', unheard: '2' }],
        [1, { ...held, chunk: '3', held: 'skipped', unheard: '0' }],
        [5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { slots: '2' }, ms: 5 }],
      ]),
    )
    const around = fakeContext({ engine })
    expect(await main(['runs', '--ci', '--distributed', '--run', '7', '--connect', PG], around)).toBe(0)
    expect(around.err()).toContain(
      'public.a  is paused: it starts no work until it is resumed; 2 tasks at work not yet informed',
    )
    expect(around.err()).toContain('public.a/3  is skipped: this run does not continue with it')
  })
})

describe('doctor', () => {
  it('needs neither a catalog nor a path', async () => {
    const operationOf = async (words: readonly string[]): Promise<unknown> => {
      const { request } = await parseCommandLine(words, {})
      return request.kind === 'operation' ? request.operation : null
    }
    expect(await operationOf(['doctor'])).toEqual({ kind: 'doctor' })
    expect(await operationOf(['doctor', 's3://b/x', '--database-url', PG])).toEqual({
      kind: 'doctor',
      catalog: PG,
      path: 's3://b/x',
    })
  })
  it('prints problems below their area, and ends with 1', async () => {
    const error = new SluiceError('SETUP_PROBLEMS', '1 problem found', { hint: 'do it' }).info()
    const check = { type: 'check', area: 'database' } as const
    const { engine } = playingEngine(() =>
      stamped([
        [0, { type: 'run.started', command: 'doctor', tool: '0.1.0' }],
        [1, { type: 'check', area: 'program', check: 'node', status: 'ok', found: 'v20' }],
        [1, { ...check, check: 'address', status: 'ok', found: 'postgresql://me:secret99@db/x' }],
        [2, { ...check, check: 'tls', status: 'warn', found: 'not encrypted', hint: 'encrypt\u001b[31m\nit' }],
        [
          3,
          { ...check, check: 'login', status: 'fail', found: 'refused', cause: 'wrong password', hint: 'correct it' },
        ],
        [
          5,
          { type: 'run.finished', status: 'failed', exitCode: 1, totals: { checks: '4', problems: '1' }, ms: 5, error },
        ],
      ]),
    )
    const around = fakeContext({ engine })
    expect(await main(['doctor', '--ci', '--database-url', PG], around)).toBe(1)
    expect(around.out()).toBe(
      [
        'program',
        '  ok    node                v20',
        'database',
        '  ok    address             postgresql://me@db/x',
        '  warn  tls                 not encrypted',
        String.raw`        do     encrypt\x1b[31m it`,
        '  FAIL  login               refused',
        '        cause  wrong password',
        '        do     correct it',
        '',
      ].join('\n'),
    )
    const [note = '', ...rest] = around.err().split('\n')
    expect(note).toMatch(/^0:00 note +a password on the command line can be read/)
    expect(rest.join('\n')).toBe(
      '0:00 end      checks 4, problems 1 in 0.0 s\n0:00 do       do it\n0:00 exit     1  1 problem found\n',
    )
  })
})
