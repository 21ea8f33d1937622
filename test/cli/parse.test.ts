import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stateCatalogFile } from '../../src/cli/flags/catalog-choice.ts'
import { topHelp } from '../../src/cli/help/help.ts'
import { toolVersion } from '../../src/cli/version.ts'
import { OTHER_WORDS } from '../../src/cli/help/other-words.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const DB = 'sqlite:///catalog.db'
const env = {}
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-parse-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function operation(line: string, variables: Record<string, string> = env): Promise<unknown> {
  const { request } = await parseCommandLine(line.split(' '), variables)
  return request.kind === 'operation' ? request.operation : request
}

async function error(argv: readonly string[], variables: Record<string, string> = env): Promise<string> {
  try {
    await parseCommandLine(argv, variables)
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown
    const exit = thrown.exitCode === 2 ? '' : `${thrown.exitCode} `
    return `${exit}${thrown.code} ${thrown.message}`
  }
  return 'no error'
}

const importDefaults = {
  dryRun: false,
  resume: false,
  batchSize: 10_000,
  verbose: false,
  allowRefused: false,
  waitMs: 0,
}
const batchDefaults = {
  recursive: false,
  exclude: [],
  parallel: 2,
  batchSize: 10_000,
  waitMs: 10_000,
  dryRun: false,
  resume: false,
  verbose: false,
}

describe('the commands of the guide are parsed as written there', () => {
  it.each<[string, unknown]>([
    [`import /t --database-url ${DB}`, { kind: 'import', table: '/t', catalog: DB, ...importDefaults }],
    [
      `import /t --database-url ${DB} --table-id my_table`,
      { kind: 'import', table: '/t', catalog: DB, tableId: 'my_table', ...importDefaults },
    ],
    [
      `import /t --database-url ${DB} --dry-run --verbose`,
      { kind: 'import', table: '/t', catalog: DB, ...importDefaults, dryRun: true, verbose: true },
    ],
    [
      `import /t --database-url ${DB} --resume --verbose`,
      { kind: 'import', table: '/t', catalog: DB, ...importDefaults, resume: true, verbose: true },
    ],
    [
      `import /t --database-url ${DB} --batch-size 1000`,
      { kind: 'import', table: '/t', catalog: DB, ...importDefaults, batchSize: 1000 },
    ],
    [
      `validate /t --database-url ${DB} --verbose`,
      { kind: 'validate', table: '/t', catalog: DB, verbose: true, samples: 4 },
    ],
    [
      `performance-compare /t --database-url ${DB}`,
      { kind: 'performance-compare', table: '/t', catalog: DB, runs: 7, cold: true },
    ],
    ['discover /t --recursive', { kind: 'discover', path: '/t', recursive: true, exclude: [] }],
    [`batch-import /t --database-url ${DB}`, { kind: 'batch-import', path: '/t', catalog: DB, ...batchDefaults }],
    [
      `batch-import /t --database-url ${DB} --exclude test --exclude temp`,
      { kind: 'batch-import', path: '/t', catalog: DB, ...batchDefaults, exclude: ['test', 'temp'] },
    ],
    [
      `batch-import /t --database-url ${DB} --batch-size 500 --parallel 2 --exclude _tmp --exclude _staging`,
      {
        kind: 'batch-import',
        path: '/t',
        catalog: DB,
        ...batchDefaults,
        batchSize: 500,
        exclude: ['_tmp', '_staging'],
      },
    ],
    [
      `verify-rollback table_id --database-url ${DB}`,
      { kind: 'verify-rollback', table: 'table_id', catalog: DB, checkFiles: 'sample' },
    ],
    [`migration-status --database-url ${DB}`, { kind: 'migration-status', catalog: DB }],
    [
      `migration-status --database-url ${DB} --table-id my_table`,
      { kind: 'migration-status', catalog: DB, tableId: 'my_table' },
    ],
  ])('sluice %s', async (line, expected) => {
    expect(await operation(line)).toEqual(expected)
  })
})

describe('other commands', () => {
  it.each<[string, unknown]>([
    [
      `batch-import --exclude a /t --workers 3 --database-url ${DB}`,
      { kind: 'batch-import', path: '/t', catalog: DB, ...batchDefaults, exclude: ['a'], parallel: 3 },
    ],
    [
      `rollback t --confirm=t --database-url ${DB}`,
      { kind: 'rollback', table: 't', catalog: DB, confirm: 't', checkFiles: 'sample', dryRun: false, waitMs: 0 },
    ],
    [
      `rollback t -n --check-files all --database-url ${DB}`,
      { kind: 'rollback', table: 't', catalog: DB, checkFiles: 'all', dryRun: true, waitMs: 0 },
    ],
    ['history t', { kind: 'history', table: 't', limit: 20 }],
    [`history t --limit 3 --database-url ${DB}`, { kind: 'history', table: 't', catalog: DB, limit: 3 }],
    ['files t --version 0', { kind: 'files', table: 't', asOf: { version: 0 } }],
    [
      'files t --timestamp 2026-11-20',
      { kind: 'files', table: 't', asOf: { timestampMs: Date.parse('2026-11-20T00:00:00Z') } },
    ],
    [
      'files t --timestamp 2026-11-20T12:04:16+0130',
      { kind: 'files', table: 't', asOf: { timestampMs: Date.parse('2026-11-20T10:34:16Z') } },
    ],
    ['files t --where a>1 --limit 5', { kind: 'files', table: 't', asOf: {}, where: 'a>1', limit: 5 }],
    ['changes t --from-version 3 --to-version 7', { kind: 'changes', table: 't', fromVersion: 3, toVersion: 7 }],
    [`export-log t --to /o --database-url ${DB}`, { kind: 'export-log', table: 't', catalog: DB, to: '/o' }],
    [`runs --database-url ${DB}`, { kind: 'runs', catalog: DB, limit: 20 }],
    [
      `import 2024 --database-url ${DB} --wait 1m30s`,
      { kind: 'import', table: '2024', catalog: DB, ...importDefaults, waitMs: 90_000 },
    ],
    ['demo', { kind: 'demo', lake: null, folder: './sluice-demo' }],
    ['demo /lake --dir /d', { kind: 'demo', lake: '/lake', folder: '/d' }],
    ['--json .', { kind: 'open', target: '.' }],
    [`--database-url ${DB} s3://bucket/lake`, { kind: 'open', target: 's3://bucket/lake' }],
  ])('sluice %s', async (line, expected) => {
    expect(await operation(line)).toEqual(expected)
  })
  it('no arguments open the current folder', async () => {
    expect((await parseCommandLine([], env)).request).toEqual({ kind: 'open', target: '.' })
  })
})

describe('--help', () => {
  const page = async (...words: readonly string[]): Promise<string> => {
    const { request } = await parseCommandLine(words, env)
    return request.kind === 'help' ? request.text : 'no page'
  }
  it.each(['--help=al', '--help=', '-h=x', '--help=false'])('%s starts nothing', async (word) => {
    expect(await error(['prune', word, '--database-url', DB])).toMatch(/^BAD_FLAG --help takes all, not/)
  })
  it('lists every option with =all, in any order of both forms', async () => {
    for (const words of [['--help=all'], ['-h=all'], ['--help=all', '--help'], ['-h', '--help=all']])
      expect(await page('copy', ...words)).toContain('--cdc')
    expect(await page('copy', '--help')).not.toContain('--cdc')
    expect(await page('copy', '-h')).toBe(await page('copy', '--help'))
    expect(await page('copy', '-qh')).toBe(await page('copy', '--help'))
  })
  it('shows a topic, or a word of another tool, also with a config file', async () => {
    const file = path.join(folder, 'help.yaml')
    writeFileSync(file, 'stores: {}\n')
    for (const [word, said] of [
      ['alerts', '--alert-command'],
      ['cdc', 'sluice follow --help'],
    ] as const)
      expect(await page(word, '--help', '--config', file)).toContain(said)
  })
  it('shows the page of the program if no command is named', async () => {
    for (const words of [['--help', '--ci'], ['--help=all'], [folder, '--help']])
      expect(await page(...words)).toBe(topHelp(toolVersion()))
    await expect(page('nosuch', '--help')).rejects.toMatchObject({ code: 'NO_SUCH_PATH' })
  })
  it('is ignored after --', async () => {
    await expect(page('files', '--database-url', DB, '--', '--help=x')).resolves.toBe('no page')
  })
})

describe('a flag of another command', () => {
  it.each([
    [
      ['./', '--to', 'sqlite:///t.db'],
      /^unknown flag --to$/,
      /^copy, .* --to: name the command first, such as sluice copy --to; the UI is opened with PATH, --from URL/,
    ],
    [
      ['import', 't', '--recursive', '--database-url', DB],
      /^unknown flag --recursive$/,
      /^discover, batch-import .*take --recursive: sluice discover --help/,
    ],
    [['import', 't', '--nonsense', '--database-url', DB], /^unknown flag --nonsense$/, /^sluice import --help shows/],
  ])('%j', async (argv, message, hint) => {
    const thrown = await parseCommandLine(argv, env).catch((reason: unknown) => reason)
    if (!(thrown instanceof SluiceError)) throw new Error('it is taken')
    expect(thrown.message).toMatch(message)
    expect(thrown.hint).toMatch(hint)
  })
})

describe('source of the catalog URL', () => {
  it('the flag takes precedence over the variable, and this over the file; DATABASE_URL is ignored', async () => {
    const variables = { SLUICE_DATABASE_URL: 'sqlite:///v.db', DATABASE_URL: 'postgresql://no/no' }
    expect(await operation('runs', variables)).toMatchObject({ catalog: 'sqlite:///v.db' })
    expect(await operation(`runs --database-url ${DB}`, variables)).toMatchObject({ catalog: DB })
    const nobody = { XDG_STATE_HOME: path.join(folder, 'nobody') }
    expect(await error(['migration-status'], { ...nobody, DATABASE_URL: 'postgresql://no/no' })).toBe(
      'BAD_FLAG no catalog is given',
    )
    expect(await error(['migration-status'], { ...nobody, SLUICE_DATABASE_URL: '' })).toBe(
      'BAD_FLAG no catalog is given',
    )
    // Without a catalog, the runs of this machine are listed.
    expect(await parseCommandLine(['runs'], {})).toMatchObject({ request: { kind: 'runs-here', limit: 20 } })
    const variablesOfUi = { XDG_STATE_HOME: path.join(folder, 'state') }
    const lake = path.join(folder, 'lake')
    const standing = stateCatalogFile(lake, variablesOfUi)
    const words = `import ${lake}/sales/orders`
    expect(await error(words.split(' '), variablesOfUi)).toBe('BAD_FLAG no catalog is given')
    mkdirSync(path.dirname(standing), { recursive: true })
    writeFileSync(standing, '')
    expect(await operation(words, variablesOfUi)).toMatchObject({ catalog: `sqlite:///${standing}` })
    const { request } = await parseCommandLine(words.split(' '), variablesOfUi)
    expect(request).toMatchObject({ reported: { notes: [expect.stringContaining(standing)] } })
    expect(await operation(`batch-import ${lake}`, variablesOfUi)).toMatchObject({ catalog: `sqlite:///${standing}` })
    expect(await operation(`${words} --database-url ${DB}`, variablesOfUi)).toMatchObject({ catalog: DB })
    // A name that is not a path is looked up in the only catalog that the UI keeps.
    expect(await operation('validate sales/orders', variablesOfUi)).toMatchObject({
      table: 'sales/orders',
      catalog: `sqlite:///${standing}`,
    })
    expect(await operation('migration-status', variablesOfUi)).toMatchObject({ catalog: `sqlite:///${standing}` })
    // A lake has its own catalog or none; a path is not looked up in the catalog of another lake.
    expect(await error(['batch-import', '/nowhere/else'], variablesOfUi)).toBe('BAD_FLAG no catalog is given')
    const other = stateCatalogFile(path.join(folder, 'other'), variablesOfUi)
    writeFileSync(other, '')
    const several = await parseCommandLine(['validate', 'sales/orders'], variablesOfUi).catch(
      (thrown: SluiceError) => thrown,
    )
    expect(several).toMatchObject({
      code: 'BAD_FLAG',
      message: 'no catalog is given, and the terminal UI created 2 catalogs',
    })
    const flags = (several as SluiceError).hint?.match(/--database-url \S+\.db/g) ?? []
    expect(flags.map((one) => one.slice('--database-url '.length)).toSorted()).toEqual(
      [standing, other].map((file) => `sqlite:///${file}`).toSorted(),
    )
    // The printed flag can be used.
    expect(await operation(`validate sales/orders ${flags[0] ?? ''}`, variablesOfUi)).toMatchObject({
      table: 'sales/orders',
    })
    rmSync(other)
    expect(await error(['import', 's3://bucket/lake/sales/orders'], variablesOfUi)).toBe('BAD_FLAG no catalog is given')
    const file = path.join(folder, 'c.yaml')
    writeFileSync(file, 'database-url: sqlite:///c.db\nlimit: 5\nexclude: [_tmp]\nparallel: 4\nmax-runtime: 30m\n')
    expect(await operation(`runs --config ${file}`)).toMatchObject({ catalog: 'sqlite:///c.db', limit: 5 })
    expect(await operation(`batch-import x --config=${file} --parallel 1`)).toMatchObject({
      exclude: ['_tmp'],
      parallel: 1,
    })
    expect((await parseCommandLine(['runs', '--config', file], env)).globals.maxRuntimeMs).toBe(1_800_000)
  })
})

describe('errors of a command line', () => {
  it.each<[string, readonly string[], string]>([
    ['a mistyped command', ['discovr'], 'NO_SUCH_PATH no such path or command: discovr (discover?)'],
    [
      'a mistyped command with flags',
      ['discovr', '--recursive', '--json'],
      'NO_SUCH_PATH no such path or command: discovr (discover?)',
    ],
    ['a swapped letter', ['improt', 'x'], 'NO_SUCH_PATH no such path or command: improt (import?)'],
    [
      'an action without its command',
      ['decommission'],
      'NO_SUCH_PATH no such path or command: decommission (partition decommission?)',
    ],
    ['nothing near', ['xyzzy'], 'NO_SUCH_PATH no such path or command: xyzzy'],
    ['a mistyped flag', ['discover', '.', '--recursve'], 'BAD_FLAG unknown flag --recursve (--recursive?)'],
    ['a letter that is no flag', ['runs', '-x', '--database-url', DB], 'BAD_FLAG unknown flag -x'],
    [
      'a flag of another command',
      ['runs', '--parallel', '2', '--database-url', DB],
      'BAD_FLAG unknown flag --parallel',
    ],
    ['a word too many', ['discover', '.', 'more'], 'BAD_FLAG unknown word more'],
    ['two paths', ['.', '..'], 'BAD_FLAG give one path, not 2: . ..'],
    ['no operand', ['import', '--database-url', DB], 'BAD_FLAG TABLE is missing'],
    ['an empty operand', ['import', '', '--database-url', DB], 'BAD_FLAG TABLE is empty'],
    ['an empty URL', ['runs', '--database-url', ''], 'BAD_FLAG --database-url is empty'],
    ['an unset variable at the end', ['import', 't', '--database-url'], 'BAD_FLAG --database-url needs a value'],
    [
      'an unset variable before a flag',
      ['import', 't', '--database-url', '--dry-run'],
      'BAD_FLAG --database-url needs a value',
    ],
    ['no URL', ['runs', '--database-url', 'catalog.db'], 'BAD_FLAG --database-url is not a URL'],
    [
      'no number',
      ['validate', 't', '--samples', 'many', '--database-url', DB],
      'BAD_FLAG --samples must be a whole number from 0 to 1000',
    ],
    [
      'a number too small',
      ['import', 't', '--batch-size', '0', '--database-url', DB],
      'BAD_FLAG --batch-size must be a whole number of at least 1, not 0',
    ],
    [
      'a negative number',
      ['batch-import', 't', '--parallel', '-1', '--database-url', DB],
      'BAD_FLAG --parallel must be a whole number from 1 to 64, not -1',
    ],
    [
      'a fraction',
      ['history', 't', '--limit', '1.5'],
      'BAD_FLAG --limit must be a whole number of at least 1, not 1.5',
    ],
    ['a flag given twice', ['history', 't', '--limit', '1', '--limit', '2'], 'BAD_FLAG --limit is given 2 times'],
    [
      'a wrong choice',
      ['verify-rollback', 't', '--check-files', 'some', '--database-url', DB],
      'BAD_FLAG --check-files takes none, sample or all, not some',
    ],
    [
      'a day that is none',
      ['files', 't', '--timestamp', '2026-02-30'],
      'BAD_FLAG --timestamp 2026-02-30 is not a date or time',
    ],
    [
      'two moments',
      ['files', 't', '--version', '1', '--timestamp', '2026-02-03'],
      'BAD_FLAG --version and --timestamp exclude each other',
    ],
    [
      'backwards',
      ['changes', 't', '--from-version', '7', '--to-version', '3'],
      'BAD_FLAG --to-version 3 is before --from-version 7',
    ],
    ['a missing flag', ['changes', 't', '--from-version', '7'], 'BAD_FLAG --to-version is missing'],
    [
      'no duration',
      ['runs', '--max-runtime', 'soon', '--database-url', DB],
      'BAD_FLAG --max-runtime soon is not a duration',
    ],
    [
      'no address of metrics',
      ['runs', '--metrics', ':9464', '--database-url', DB],
      'BAD_FLAG --metrics takes a port, or HOST:PORT, not :9464',
    ],
    [
      'no port of metrics',
      ['runs', '--metrics', 'localhost:70000', '--database-url', DB],
      'BAD_FLAG --metrics takes a port, or HOST:PORT, not localhost:70000',
    ],
    [
      'no colour',
      ['runs', '--color=blue', '--database-url', DB],
      'BAD_FLAG --color takes always, never or auto, not blue',
    ],
    ['an empty exclude', ['discover', '.', '--exclude', ''], 'BAD_FLAG --exclude is empty'],
    ['no config file', ['runs', '--config', '/nowhere.yaml'], 'BAD_CONFIG the config file cannot be read'],
  ])('%s', async (_case, argv, expected) => {
    expect(await error(argv)).toBe(expected)
  })

  it('unknown keys and invalid values of a config file are named', async () => {
    const file = path.join(folder, 'bad.yaml')
    writeFileSync(file, 'databse-url: x\nparallel: lots\n')
    const message = await error(['runs', '--config', file])
    expect(message).toMatch(/^BAD_CONFIG the config file is not valid: /)
    expect(message).toContain('unknown key databse-url')
    expect(message).toContain('parallel: ')
    writeFileSync(file, 'a: [1\n')
    expect(await error(['runs', '--config', file])).toMatch(/^BAD_CONFIG the config file is not YAML: /)
  })

  it.each([
    ['workers: 2\nparallel: *few\n', 'not YAML: *few has no anchor &few before it (line 2, column 11)'],
    ['workers: *few\nparallel: &few 2\n', 'not YAML: *few has no anchor &few before it (line 1, column 10)'],
    ['workers: 2\nworkers: 3\n', 'not YAML: Map keys must be unique at line 2, column 1'],
    ['stores:\n\ta: sqlite:///x\n', 'not YAML: Tabs are not allowed as indentation at line 2, column 1'],
    ['workers: 2\n---\nworkers: 3\n', 'not YAML: it has several documents (line 2, column 1)'],
    ['? [a]\n: b\n', 'not YAML: a key must be a word, not a list or map (line 1, column 3)'],
    ['workers: two\n', 'not valid: workers: Invalid input: expected number, received string (line 1, column 10)'],
    ['workers: 2\ncolour: red\n', 'not valid: unknown key colour (line 2, column 1)'],
    ['- a\n', 'not valid: Invalid input: expected object, received array (line 1, column 1)'],
  ])('an error names the position in the config file: %j', async (text, expected) => {
    const file = path.join(folder, 'wrong.yaml')
    writeFileSync(file, text)
    const message = await error(['runs', '--config', file])
    expect(message.slice(message.indexOf(expected))).toBe(expected)
  })
})

describe('arguments after shell quoting', () => {
  it.each(['"NULL"', '""', "'eu'", '"eu "', '"', 'a"b"', '"S p"."T.1"'])(
    'are equal in one word and in two: %s',
    async (value) => {
      const words = ['archive', 'run', '--drop', '--from', 'sqlite:///s.db']
      const flags = ['--table', '--partition', '--confirm']
      for (const given of [flags.map((flag) => `${flag}=${value}`), flags.flatMap((flag) => [flag, value])]) {
        const { request } = await parseCommandLine([...words, ...given], {})
        expect(request).toMatchObject({ operation: { tables: [value], partitions: [value], confirm: value } })
      }
    },
  )

  it('an empty number is an error, and not 0', async () => {
    expect(await error(['files', 't', '--version', ''])).toBe('BAD_FLAG --version is empty')
    expect(await error(['files', 't', '--version='])).toBe('BAD_FLAG --version is empty')
    expect(await error(['import', 't', '--database-url', DB, '--batch-size', ' '])).toBe(
      'BAD_FLAG --batch-size is empty',
    )
    expect(await operation('files t --version 0')).toMatchObject({ asOf: { version: 0 } })
  })
  it('after -- are operands, whatever their form', async () => {
    expect(await operation('files --limit 2 -- -dash')).toMatchObject({ kind: 'files', table: '-dash', limit: 2 })
    expect(await operation('files -- --version')).toMatchObject({ table: '--version', asOf: {} })
    expect(await error(['files', '--', '-a', '-b'])).toBe('BAD_FLAG unknown word -b')
  })
})

describe('words of other tools', () => {
  it.each(OTHER_WORDS)('help $words', async ({ words, command, page }) => {
    expect(existsSync(path.join(import.meta.dirname, '../..', page))).toBe(true)
    for (const word of words) {
      const { request } = await parseCommandLine([word, '--help'], {})
      expect(request).toMatchObject({ kind: 'help', text: expect.stringContaining(`sluice ${command} --help`) })
      await expect(parseCommandLine([word], {})).rejects.toMatchObject({ code: 'NO_SUCH_PATH' })
    }
  })
})

describe('the UI on a folder', () => {
  const SHOP = 'postgresql://app:hunter22@db/shop'
  const beside = async (variables: Record<string, string>, ...words: readonly string[]): Promise<unknown> => {
    const { request } = await parseCommandLine(words, variables)
    return request.kind === 'open' ? request.stores : 'not open'
  }
  it('lists the database of $DATABASE_URL if the folder has no lake', async () => {
    const none = path.join(folder, 'none')
    mkdirSync(none)
    expect(await beside({ DATABASE_URL: SHOP }, none)).toEqual([{ name: '$DATABASE_URL', url: SHOP }])
    expect(await beside({ DATABASE_URL: 'nothing' }, none)).toBeUndefined()
    expect(await beside({}, none)).toBeUndefined()
    expect(await beside({ DATABASE_URL: SHOP }, none, '--from', DB)).toBeUndefined()
  })
  it('does not list it next to a lake or the stores of a config file', async () => {
    const lake = path.join(folder, 'with lake')
    mkdirSync(path.join(lake, 'a', 'orders', '_delta_log'), { recursive: true })
    expect(await beside({ DATABASE_URL: SHOP }, lake)).toBeUndefined()
    expect(await beside({ DATABASE_URL: SHOP }, path.join(lake, 'a', 'orders'))).toBeUndefined()
    const file = path.join(folder, 'beside.yaml')
    writeFileSync(file, 'stores:\n  old: sqlite:///old.db\n')
    expect(await beside({ DATABASE_URL: SHOP }, folder, '--config', file)).toEqual([
      { name: 'old', url: 'sqlite:///old.db' },
    ])
  })
})
