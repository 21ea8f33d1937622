/**
 * `copy`, `diff`, `retry-quarantine` and `discover URL`: the operations they start, and the commands that repeat them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import type { Event } from '../../src/model/run/event.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { eventSchema } from './event-schema.ts'
import { RUN_ID, stamped } from './recorded.ts'
import { fakeContext, playingEngine } from './surroundings.ts'
import type { Operation } from '../../src/app/operations/list.ts'

type Env = Readonly<Record<string, string>>

const FROM = 'postgresql://app@db/tracks'
const TO = 'sqlite:///tracks.db'
const SECRET = 'postgresql://app:s3cr3t-pw@db/tracks'
const TOKEN = 'cf-token-0123456789'
const SCRIPT: Env = {
  DATABASE_URL: SECRET,
  CLOUDFLARE_API_TOKEN: TOKEN,
  CLOUDFLARE_ACCOUNT_ID: 'acct',
  D1_DATABASE_ID: 'tracks-edge',
}

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-copy-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function asked(argv: readonly string[], env: Env = {}): Promise<Operation> {
  const { request } = await parseCommandLine(argv, env)
  if (request.kind !== 'operation') throw new Error(`no operation, but ${request.kind}`)
  return request.operation
}

async function refused(argv: readonly string[], env: Env = {}): Promise<string> {
  const error: unknown = await parseCommandLine(argv, env).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SluiceError)) throw new Error(`no SluiceError, but ${String(error)}`)
  return `${error.code} ${error.message}`
}

const ends = ['--from', FROM, '--to', TO]
const selection = { from: FROM, to: TO, tables: ['t'], rename: {}, workers: 4 }
const base = {
  kind: 'copy',
  ...selection,
  onExisting: 'refuse',
  acceptLossy: [],
  verify: 'chunk',
  maxAside: 1000,
  restart: false,
  dryRun: false,
}

describe('copy', () => {
  it.each<[string, unknown]>([
    ['--table t', base],
    ['--table t --table u', { ...base, tables: ['t', 'u'] }],
    ['--table a,b', { ...base, tables: ['a,b'] }],
    ['--tables a,public.* --tables "c,""d"', { ...base, tables: ['a', 'public.*', 'c,"d'] }],
    ['--table t -n --workers 2', { ...base, workers: 2, dryRun: true }],
    ['--table t --parallel 9', { ...base, workers: 9 }],
    ['--table t --columns a,b --columns "c,d"', { ...base, columns: ['a', 'b', 'c,d'] }],
    ['--table t --key a,b --where id<9', { ...base, key: ['a', 'b'], where: 'id<9' }],
    ['--table t --rename a=b --rename "x=y"=z=1', { ...base, rename: { a: 'b', 'x=y': 'z=1' } }],
    ['--tables s.* --exclude s.a,s.b --exclude "s.c*"', { ...base, tables: ['s.*'], exclude: ['s.a', 's.b', 's.c*'] }],
    ['--table t --to-schema s --to-table u', { ...base, toSchema: 's', toTable: 'u' }],
    [
      '--table t --on-existing replace-range --accept-lossy a,b --accept-lossy c --verify count',
      { ...base, onExisting: 'replace-range', acceptLossy: ['a,b', 'c'], verify: 'count' },
    ],
    [
      '--table t --checkpoint-size 7 --batch-size 3 --rate 100 --part 2/5 --max-aside 0 --restart',
      { ...base, chunkRows: 7, batchRows: 3, rate: 100, part: { no: 2, of: 5 }, maxAside: 0, restart: true },
    ],
    ['--table t --resume', base],
  ])('%s', async (line, expected) => {
    expect(await asked(['copy', ...ends, ...line.split(' ')])).toEqual(expected)
  })

  it.each<[string, string]>([
    ['--to x --table t', 'BAD_FLAG no source is given'],
    [`--from ${FROM} --table t`, 'BAD_FLAG no target is given'],
    [`--from db --to ${TO} --table t`, 'BAD_FLAG --from is not a URL'],
    [`--from ${FROM} --to ${TO}`, 'BAD_FLAG no table is named'],
    [`--from ${FROM} --to ${TO} --table t --part 5/4`, 'BAD_FLAG --part 5/4 is not a share'],
    [`--from ${FROM} --to ${TO} --table t --part 0/4`, 'BAD_FLAG --part 0/4 is not a share'],
    [`--from ${FROM} --to ${TO} --table t --rename a`, 'BAD_FLAG --rename a does not name a column'],
    [`--from ${FROM} --to ${TO} --tables a,,b`, 'BAD_FLAG --tables a,,b is not a list of names'],
    [`--from ${FROM} --to ${TO} --tables "a`, 'BAD_FLAG --tables "a is not a list of names'],
    [
      `--from ${FROM} --to ${TO} --table t --workers 65`,
      'BAD_FLAG --workers must be a whole number from 1 to 64, not 65',
    ],
    [`--from ${FROM} --to ${TO} --table t --resume --restart`, 'BAD_FLAG --resume and --restart exclude each other'],
    [`--from ${FROM} --to ${TO} --table t --verify none --verify chunk`, 'BAD_FLAG --verify is given 2 times'],
    [
      `--from ${FROM} --to ${TO} --table t --dry-run --no-dry-run`,
      'BAD_FLAG --dry-run and --no-dry-run cannot be combined',
    ],
    [`--from ${FROM} --to ${TO} --table t --zone Europe/Berlin`, 'BAD_FLAG --zone requires --between'],
    [`--from ${FROM} --to ${TO} --table t --confirm=t`, 'BAD_FLAG --confirm has nothing to confirm'],
    [`--from ${FROM} --to ${TO} --table t --again --confirm=t`, 'BAD_FLAG --confirm has nothing to confirm'],
    [
      `--from ${FROM} --to ${TO} --table t --chekpoint-size 4`,
      'BAD_FLAG unknown flag --chekpoint-size (--checkpoint-size?)',
    ],
    ['cpy', 'NO_SUCH_PATH no such path or command: cpy (copy?)'],
  ])('refuses %s', async (line, expected) => {
    expect(await refused(line === 'cpy' ? ['cpy'] : ['copy', ...line.split(' ')])).toBe(expected)
  })

  it('refuses an empty table name', async () => {
    expect(await refused(['copy', ...ends, '--table', ''])).toBe('BAD_FLAG --table is empty')
  })
})

describe("the script's variables", () => {
  const scripted = { ...base, from: SECRET, to: 'd1://acct/tracks-edge', onExisting: 'upsert', chunkRows: 50_000 }
  it('replace flags that are not given', async () => {
    expect(await asked(['copy'], { ...SCRIPT, TABLE_NAME: 't' })).toEqual(scripted)
    expect(
      await asked(['copy'], {
        ...SCRIPT,
        TABLE_NAME: 'a,b',
        CHECKPOINT_SIZE: '25000',
        BATCH_SIZE: '19',
        RESUME_MODE: 'true',
      }),
    ).toEqual({ ...scripted, tables: ['a,b'], chunkRows: 25_000, batchRows: 19 })
    expect(await asked(['copy'], { ...SCRIPT, TABLE_NAME: 't', RESUME_MODE: 'false' })).toEqual({
      ...scripted,
      restart: true,
    })
  })
  it('are overridden by flags', async () => {
    const env = { ...SCRIPT, TABLE_NAME: 'x', CHECKPOINT_SIZE: '9', BATCH_SIZE: '8', RESUME_MODE: 'false' }
    const flags = ['--table', 't', '--checkpoint-size', '5', '--batch-size', '4', '--on-existing', 'refuse', '--resume']
    expect(await asked(['copy', ...flags], env)).toEqual({
      ...scripted,
      chunkRows: 5,
      batchRows: 4,
      onExisting: 'refuse',
    })
  })
  it('are ignored if both --from and --to are given', async () => {
    const env = { ...SCRIPT, TABLE_NAME: 'x', CHECKPOINT_SIZE: 'x', BATCH_SIZE: '8', RESUME_MODE: 'false' }
    expect(await asked(['copy', ...ends, '--table', 't'], env)).toEqual(base)
    expect(await refused(['copy', ...ends], env)).toBe('BAD_FLAG no table is named')
  })
  it('may give one of source and target', async () => {
    expect(await asked(['copy', '--to', TO, '--table', 't'], SCRIPT)).toEqual({ ...scripted, to: TO })
    expect(await asked(['copy', '--from', FROM, '--table', 't'], SCRIPT)).toEqual({ ...scripted, from: FROM })
  })
  it('are ignored if they are empty, and refused if they are invalid', async () => {
    const env = { ...SCRIPT, TABLE_NAME: 't', CHECKPOINT_SIZE: ' ', BATCH_SIZE: '', RESUME_MODE: '' }
    expect(await asked(['copy'], env)).toEqual(scripted)
    expect(await refused(['copy', '--table', 't'], { ...SCRIPT, DATABASE_URL: '' })).toBe('BAD_FLAG no source is given')
    expect(await refused(['copy'], { ...env, CHECKPOINT_SIZE: '1e3' })).toContain(
      'CHECKPOINT_SIZE must be a whole number',
    )
    expect(await refused(['copy'], { ...env, RESUME_MODE: 'no' })).toContain('RESUME_MODE takes true or false')
    expect(await refused(['copy'], { ...env, DATABASE_URL: 'db' })).toBe('BAD_FLAG DATABASE_URL is not a URL')
    expect(await refused(['copy'], { ...env, CLOUDFLARE_ACCOUNT_ID: '' })).toContain('CLOUDFLARE_ACCOUNT_ID is not')
    expect(await refused(['copy', '--from', FROM, '--table', 't'], { CLOUDFLARE_ACCOUNT_ID: 'a' })).toBe(
      'BAD_FLAG no target is given',
    )
  })
})

describe('a config file', () => {
  const write = (text: string): string => {
    const file = path.join(folder, 'sluice.yaml')
    writeFileSync(file, text)
    return file
  }
  it('has the options of a copy, and flags override them', async () => {
    const file = write(
      [
        `from: ${FROM}`,
        `to: ${TO}`,
        'tables: [t, "a,b"]',
        'columns: id, name',
        'rename: { name: label }',
        'on-existing: upsert',
        'accept-lossy: [fix]',
        'checkpoint-size: 1000',
        'workers: 2',
        'rate: 50',
        'max-aside: 5',
      ].join('\n'),
    )
    const expected = {
      ...base,
      tables: ['t', 'a,b'],
      columns: ['id', 'name'],
      rename: { name: 'label' },
      onExisting: 'upsert',
      acceptLossy: ['fix'],
      chunkRows: 1000,
      workers: 2,
      rate: 50,
      maxAside: 5,
    }
    expect(await asked(['copy', '--config', file], SCRIPT)).toEqual(expected)
    expect(
      await asked([
        'copy',
        '--config',
        file,
        '--table',
        'u',
        '--workers',
        '3',
        '--on-existing',
        'append',
        '--columns',
        'id',
      ]),
    ).toEqual({ ...expected, tables: ['u'], workers: 3, onExisting: 'append', columns: ['id'] })
  })
  it('names variables for URLs with passwords', async () => {
    const file = write(`from: $SOURCE\nto: \${TARGET}\ntable: t\n`)
    expect(await asked(['copy', '--config', file], { SOURCE: SECRET, TARGET: TO })).toEqual({ ...base, from: SECRET })
    expect(await refused(['copy', '--config', file], { TARGET: TO })).toBe(
      'BAD_CONFIG the variable SOURCE is not set, but from of the config file uses it',
    )
  })
  it('is refused with invalid values', async () => {
    expect(await refused(['copy', '--config', write('workers: 0\nverify: all\n')])).toMatch(/verify: .*workers: /)
  })
})

describe('diff, retry-quarantine, discover', () => {
  const diff = { kind: 'diff', ...selection, limit: 100, fix: false, deleteExtra: false }
  it.each<[string, unknown]>([
    ['diff --table t', diff],
    ['diff --table t --fix --delete-extra --limit 0', { ...diff, fix: true, deleteExtra: true, limit: 0 }],
    [
      'diff --table t --undo 1763625990000000000',
      { kind: 'diff-undo', runId: '1763625990000000000', to: TO, tables: ['t'] },
    ],
    ['retry-quarantine', { kind: 'retry-quarantine', from: FROM, to: TO }],
    ['quarantine retry', { kind: 'retry-quarantine', from: FROM, to: TO }],
    ['quarantine list', { kind: 'quarantine-list', to: TO, limit: 100 }],
    [
      'quarantine list 1763625990000000000 --table t --limit 3',
      { kind: 'quarantine-list', to: TO, runId: '1763625990000000000', table: 't', limit: 3 },
    ],
    [
      'retry-quarantine 1763625990000000000 --table t',
      { kind: 'retry-quarantine', runId: '1763625990000000000', from: FROM, to: TO, table: 't' },
    ],
  ])('%s', async (line, expected) => {
    expect(await asked([...line.split(' '), ...ends])).toEqual(expected)
  })
  it('take source and target from the environment, like copies', async () => {
    expect(await asked(['diff'], { ...SCRIPT, TABLE_NAME: 't' })).toMatchObject({ from: SECRET, tables: ['t'] })
    const to = 'd1://acct/tracks-edge'
    expect(await asked(['retry-quarantine'], SCRIPT)).toEqual({ kind: 'retry-quarantine', from: SECRET, to })
    // The source of another copy is in the ledger.
    expect(await asked(['retry-quarantine', '--to', TO], SCRIPT)).toEqual({ kind: 'retry-quarantine', to: TO })
  })
  it.each<[string, string]>([
    ['diff --table t --delete-extra', 'BAD_FLAG --delete-extra requires --fix'],
    ['diff --table t --fix --undo 1', 'BAD_FLAG --fix and --undo exclude each other'],
    ['diff --table t --undo last', 'BAD_FLAG --undo last is not the id of a run'],
    ['retry-quarantine last', 'BAD_FLAG RUN last is not the id of a run'],
    ['quarantine lsit', 'BAD_FLAG quarantine has no action lsit (list?)'],
    ['quarantine retry last', 'BAD_FLAG RUN last is not the id of a run'],
  ])('refuses %s', async (line, expected) => {
    expect(await refused([...line.split(' '), ...ends])).toBe(expected)
  })
  it('discover lists a database if the path is a URL', async () => {
    const tables = ['*', '*.*']
    for (const url of [FROM, 'mysql://u@h/d', 'mariadb://u@h/d', TO, 'duckdb:///x.duckdb', 'd1://a/b']) {
      expect(await asked(['discover', url])).toEqual({ kind: 'discover-database', url, tables })
    }
    expect(await asked(['discover', FROM, '--tables', 'a,b.*'])).toMatchObject({ tables: ['a', 'b.*'] })
    expect(await asked(['discover', 's3://bucket/lake'])).toMatchObject({ kind: 'discover' })
    expect(await refused(['discover', '.', '--tables', 'a'])).toBe('BAD_FLAG --tables requires the URL of a database')
  })
})

describe('the command that repeats a run', () => {
  const ended = (change: Partial<RunFinished> = {}): Event[] =>
    stamped([
      [0, { type: 'run.started', command: 'copy', tool: '0.1.0' }],
      [5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 5, ...change }],
    ])

  async function printed(argv: readonly string[], env: Env = {}): Promise<string> {
    const { engine, started } = playingEngine(() => ended())
    const around = fakeContext({ engine, env })
    expect(await main(argv, around)).toBe(0)
    for (const text of [around.out(), around.err(), started[0]?.commandLine ?? '']) {
      expect(text).not.toContain('s3cr3t-pw')
      expect(text).not.toContain(TOKEN)
    }
    return started[0]?.commandLine ?? ''
  }

  it('names variables, and has their values as flags', async () => {
    expect(await printed(['copy', '--ci'], { ...SCRIPT, TABLE_NAME: "o'clock", BATCH_SIZE: '19' })).toBe(
      `sluice copy --from "$DATABASE_URL" --to "d1://$CLOUDFLARE_ACCOUNT_ID/$D1_DATABASE_ID" --table 'o'\\''clock' ` +
        '--checkpoint-size 50000 --batch-size 19 --on-existing upsert',
    )
    expect(await printed(['copy', '--table', 't', '--to', TO, '--batch-size', '4'], SCRIPT)).toBe(
      `sluice copy --table t --to ${TO} --batch-size 4 --from "$DATABASE_URL" --checkpoint-size 50000 --on-existing upsert`,
    )
  })
  it('has no --restart', async () => {
    expect(await printed(['copy', '--restart', ...ends, '--table', 't'])).toBe(
      `sluice copy --from ${FROM} --to ${TO} --table t`,
    )
    expect(await printed(['copy', ...ends, '--restart=true', '--table=t', '--ci'])).toBe(
      `sluice copy --from ${FROM} --to ${TO} --table=t`,
    )
    expect(await printed(['copy', '--table', 't'], { ...SCRIPT, RESUME_MODE: 'false' })).not.toContain('restart')
    expect(await printed(['copy', ...ends, '--table', 't', '--follow', '--restart', '--until-equal'])).toBe(
      `sluice copy --from ${FROM} --to ${TO} --table t --follow --until-equal`,
    )
    const partition = ['partition', 'run', '--from', FROM, '--table', 't', '--by', 'at', '--window', '4h']
    expect(await printed([...partition, '--restart', '--ci'])).toBe(
      `sluice partition run --from ${FROM} --table t --by at --window 4h`,
    )
  })
  it('has no password: a variable with the URL, or the URL without its password', async () => {
    const words = ['copy', '--from', SECRET, `--to=${TO}`, '--table', 't']
    expect(await printed(words, { SRC: SECRET })).toBe(`sluice copy --from "$SRC" --to=${TO} --table t`)
    expect(await printed(words)).toBe(`sluice copy --from ${FROM} --to=${TO} --table t`)
    const file = path.join(folder, 'secret.yaml')
    writeFileSync(file, `from: ${SECRET}\nto: ${TO}\ntable: t\n`)
    expect(await printed(['copy', '--config', file])).toBe(`sluice copy --config ${file}`)
    // A copy has no catalog.
    expect(await printed(words, { SLUICE_DATABASE_URL: 'sqlite:///c.db' })).not.toContain('database-url')
  })
  it('masks nothing if the password is a common word', async () => {
    const { engine } = playingEngine(() => ended())
    const url = 'postgresql://postgres:postgres@db/tracks'
    const around = fakeContext({ engine, env: { DATABASE_URL: url } })
    expect(await main(['copy', '--from', url, '--to', TO, '--table', 'postgresql.t', '-v'], around)).toBe(0)
    expect(`${around.out()}${around.err()}`).not.toContain('***')
    expect(`${around.out()}${around.err()}`).not.toContain('postgres:postgres')
  })
  it('retries the quarantined rows if all else is done', async () => {
    const error = new SluiceError('ROWS_ASIDE', 'one row of coordinate_speed_new is not in the target').info()
    const totals = { chunks: '45', proved: '45', quarantined: '1' }
    const failed = { status: 'failed', exitCode: 1, totals, error, resumeCommand: 'sluice copy again' } as const
    const next = async (
      argv: readonly string[],
      env: Env = {},
      change: Partial<RunFinished> = {},
    ): Promise<unknown> => {
      const { engine } = playingEngine(() => ended({ ...failed, ...change }))
      const around = fakeContext({ engine, env })
      expect(await main([...argv, '--json'], around)).toBe(1)
      const lines = around.out().trimEnd().split('\n')
      const last = eventSchema.parse(JSON.parse(lines.at(-1) ?? '')) as RunFinished
      return last.resumeCommand
    }
    const words = ['copy', ...ends, '--table', 't']
    expect(await next(words)).toBe(`sluice quarantine retry ${RUN_ID} --to ${TO}`)
    expect(await next(['copy', '--table', 't'], SCRIPT)).toBe(
      `sluice quarantine retry ${RUN_ID} --from "$DATABASE_URL" --to "d1://$CLOUDFLARE_ACCOUNT_ID/$D1_DATABASE_ID"`,
    )
    expect(await next(words, {}, { totals: { ...totals, proved: '44' } })).toBe('sluice copy again')
  })
  it('has a note on options from the environment', async () => {
    const { engine } = playingEngine(() => ended())
    const around = fakeContext({ engine, env: { ...SCRIPT, RESUME_MODE: 'false' } })
    expect(await main(['copy', '--table', 't'], around)).toBe(0)
    expect(around.err()).toContain(
      'note     from DATABASE_URL, CLOUDFLARE_ACCOUNT_ID, D1_DATABASE_ID: chunks of 50,000 rows, batches of as many rows as fit, --on-existing upsert, resume off\n',
    )
    expect(around.err()).toContain(
      'note     everything is copied again; rows in the target stay there until rows with equal keys overwrite them\n',
    )
  })
})

describe('in a terminal', () => {
  it('a copy shows the Run screen, except in a dry run', async () => {
    const opened: unknown[] = []
    const engine = {
      ...playingEngine(() => stamped([[5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 5 }]]))
        .engine,
      openWorkbench: (options: unknown) => {
        opened.push(options)
        return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() } as never)
      },
    }
    const shown: unknown[] = []
    const tui = {
      runTui: ({ initial }: { readonly initial?: unknown }) => {
        shown.push(initial)
        return Promise.resolve({ exitCode: 0, isStillRunning: false })
      },
    }
    const words = ['copy', ...ends, '--table', 't']
    expect(await main(words, fakeContext({ engine, tui, tty: true }))).toBe(0)
    expect(opened).toMatchObject([{ lake: null, catalog: null, database: FROM }])
    expect(shown).toMatchObject([{ operation: base, commandLine: `sluice ${words.join(' ')}`, leaveWhenDone: false }])
    expect(await main([...words, '--quit'], fakeContext({ engine, tui, tty: true }))).toBe(0)
    expect(shown.splice(1)).toMatchObject([{ leaveWhenDone: true }])
    expect(await main([...words, '--max-runtime', '1h'], fakeContext({ engine, tui, tty: true }))).toBe(0)
    expect(opened.at(-1)).toMatchObject({ deadline: { ms: 3_600_000 } })
    expect(shown.splice(1)).toMatchObject([{ leaveWhenDone: false }])
    expect(await main([...words, '--dry-run'], fakeContext({ engine, tui, tty: true }))).toBe(0)
    expect(shown).toHaveLength(1)
  })
  it('a database may be opened next to a lake, or alone', async () => {
    const opened: unknown[] = []
    const engine = {
      ...playingEngine(() => []).engine,
      openWorkbench: (options: unknown) => {
        opened.push(options)
        return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() } as never)
      },
    }
    const tui = { runTui: () => Promise.resolve({ exitCode: 0, isStillRunning: false }) }
    const around = fakeContext({ engine, tui, tty: true, env: { XDG_STATE_HOME: folder } })
    expect(await main([folder, '--from', SECRET], around)).toBe(0)
    expect(await main(['d1://acct/db'], around)).toBe(0)
    expect(await main([FROM], around)).toBe(0)
    expect(opened).toMatchObject([
      { lake: folder, database: SECRET },
      { lake: null, catalog: null, database: 'd1://acct/db' },
      { lake: null, catalog: FROM, database: FROM },
    ])
    expect(await main([folder, '--from', 'x'], around)).toBe(2)
  })
  it('without a terminal, a database that cannot be a catalog is listed', async () => {
    const { engine, started } = playingEngine(() =>
      stamped([[5, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 5 }]]),
    )
    expect(await main(['d1://acct/db'], fakeContext({ engine }))).toBe(0)
    expect(started).toMatchObject([{ operation: { kind: 'discover-database', url: 'd1://acct/db' } }])
  })
})
