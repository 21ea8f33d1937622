import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { compilePruning } from '../../src/delta/pruning.ts'
import { parseSchema, type StructType } from '../../src/delta/schema.ts'
import { parsePredicate } from '../../src/model/lake/predicate.ts'
import { sluiceErrorOf } from '../support/sluice-error.ts'
import { fakeWorkbench } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'
import { expectGolden } from './support/golden.ts'

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 50],
] as const

let open: App[] = []
const start = (options: AppOptions): App => {
  const app = openApp(options)
  open.push(app)
  return app
}

beforeAll(() => {
  process.env['TZ'] = 'UTC'
})

afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

const compiled = (where: string, schema: StructType): unknown => compilePruning(parsePredicate(where), schema, [])

const STORES = [
  { name: 'shop', url: 'postgresql://reader@db/shop' },
  { name: 'old', url: 'mysql://reader@away/old' },
  { name: './second', url: './second' },
]

const ORDERS = ['G', 'k', 'k', 'k', 'k', 'k']

describe.each(SIZES)('screens at %i×%i', (columns, rows) => {
  const size = { columns, rows }
  const golden = async (name: string, app: App): Promise<void> => {
    await app.settled()
    const screen = app.screen()
    expect(screen.split('\n')).toHaveLength(rows)
    expectGolden(`${name}-${columns}x${rows}`, screen)
  }
  const orders = async (): Promise<App> => {
    const app = start(size)
    await app.until('crm/accounts')
    await app.press(ORDERS, (s) => s.includes('› sales/orders') && s.includes('1,842'))
    return app
  }

  it('lists tables with marks', async () => {
    const app = start(size)
    await app.until('213')
    await app.press(['j', 'j', 'j', 'j', 'j', 'space', 'j', 'j', 'space'], '2 marked')
    await app.press(['k', 'k', 'k'], '› iot/readings')
    await app.until(/100,?001/)
    await golden('tables', app)
  })

  it('opens every tab', async () => {
    const app = await orders()
    await app.press(['enter'], '› overview')
    await golden('overview', app)
    await app.press([']'], 'customer')
    await golden('schema', app)
    await app.press([']'], '1832')
    await app.press(['j'], 'commit 1840')
    await golden('history', app)
    await app.press([']'], '300,000 files')
    await golden('files', app)
    await app.press(['w', 'month >= 11 AND id = 7', 'enter', 'j'], '312 files')
    await golden('where', app)
    await app.press([']'], '2021/1')
    await golden('partitions', app)
    await app.press([']'], 'reader+writer')
    await golden('features', app)
  })

  it('marks the error in a condition, and shows every column', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `column_${i}`)
    const fields = ['month', ...names].map((name) => ({ name, type: 'long', nullable: true, metadata: {} }))
    const schema = parseSchema(JSON.stringify({ type: 'struct', fields }), 'none')
    const fake = fakeWorkbench()
    const all = fake.files.bind(fake)
    fake.files = (key, query) =>
      query.where === '' ? all(key, query) : Promise.reject(sluiceErrorOf(() => compiled(query.where, schema)))
    const app = start({ ...size, fake })
    await app.until('crm/accounts')
    await app.press(ORDERS, (s) => s.includes('› sales/orders') && s.includes('1,842'))
    await app.press(['enter', ']', ']', ']'], '300,000 files')
    await app.press(['w', 'id_of_nobody > 3 AND monht = 4', 'enter'], 'unknown column id_of_nobody at character 1')
    await app.press(['w', 'ctrl-u', 'month > 3 AND monht = 4', 'enter'], 'Did you mean month?')
    const lines = app.screen().split('\n')
    const caret = lines.findIndex((row) => /\s\^(?:\s|$)/.test(row))
    const at = lines[caret]?.indexOf('^') ?? -1
    expect(lines[caret - 1]?.slice(at)).toMatch(/^monht = 4/)
    for (const name of names) expect(app.screen()).toContain(name)
  })

  it('shows why a table cannot be read', async () => {
    const app = start(size)
    await app.until('213')
    await app.press(['/', 'broken', 'enter'], '› legacy/broken')
    await app.press(['enter'], 'LOG_GAP commits 11')
    await app.until('restore the three files')
    await golden('broken', app)
  })

  it('shows the plan of an import', async () => {
    const app = start(size)
    await app.until('213')
    await app.press(['/', 'm', 'enter', '*', 'i'], 'enter starts')
    await golden('plan', app)
  })

  it('runs checks before a rollback', async () => {
    const app = start(size)
    await app.until('213')
    await app.press(['r'], 'the log can be imported again completely')
    await golden('rollback', app)
  })

  it('shows keys and commands', async () => {
    const app = start(size)
    await app.until('213')
    await app.press(['?'], 'Keys · Tables')
    await golden('help-now', app)
    await app.press(['?'], (screen) => !screen.includes('Keys · Tables · now'))
    await golden('help', app)
    await app.press(['esc'], (screen) => !screen.includes('Keys · Tables'))
    await app.press([':', 'imp'], ': imp')
    await golden('palette', app)
  })

  it('shows stores as a tree, each with its tables or its error', async () => {
    const app = start({ ...size, stores: STORES })
    await app.until('213')
    await app.press(['g', 'left'], '▸ ./lake')
    await app.press(['j', 'enter'], '2,100,000,000')
    await app.press(['G', 'enter'], './second')
    await app.press(['k', 'enter'], 'Database connection failed')
    await app.settled()
    // Blanks at the end of a row depend on what was drawn there before, so remove them.
    expectGolden(`tree-${columns}x${rows}`, app.screen().replaceAll(/ +$/gm, ''))
  })

  it('shows a run', async () => {
    const app = start({ ...size, fake: fakeWorkbench({ hold: true }) })
    await app.until('213')
    await app.press(['/', 'finance/rates', 'enter', 'i'], 'enter starts')
    await app.press(['enter'], 'planning')
    const run = app.fake.runsStarted.at(-1)
    if (run === undefined) throw new Error('no run')
    run.emit({
      type: 'run.started',
      command: 'import',
      tool: '0.1.0',
      resumes: '1763625040000000000',
      baseline: { done: '420420' },
    })
    run.emit({
      type: 'plan.ready',
      hash: '77aa01de',
      tables: '14',
      chunks: '19204',
      unit: 'action',
      total: '1911002',
      estimated: true,
      bytes: '512000312',
      excluded: [],
    })
    run.emit({
      type: 'table.finished',
      table: 'sales/orders',
      status: 'ok',
      version: '1841',
      historyFrom: '0',
      files: '300000',
      bytes: '1203331442201',
      ms: 10912,
    })
    run.emit({
      type: 'table.finished',
      table: 'legacy/broken',
      status: 'failed',
      ms: 12,
      error: { code: 'LOG_GAP', message: 'commits 11 to 13 are missing', retryable: false, hint: 'bring them back' },
    })
    run.emit({
      type: 'table.finished',
      table: 'staging/managed',
      status: 'refused',
      ms: 3,
      error: { code: 'TABLE_FEATURE', message: 'catalogManaged is not supported', retryable: false },
    })
    await app.until('refused 1')
    for (let second = 1; second <= 20; second += 1) {
      app.clock.now += 1000
      run.emit({
        type: 'chunk.progress',
        table: 'events/clicks',
        chunk: 'v0..v1000',
        worker: 1,
        done: String(second * 20_000),
        total: '600000',
        unit: 'action',
      })
      run.emit({
        type: 'chunk.progress',
        table: 'iot/readings',
        chunk: 'v41000..v42000',
        worker: 2,
        done: String(second * 9_000),
        total: '500000',
        unit: 'action',
      })
      await app.until((s) => s.includes((420_420 + second * 29_000).toLocaleString('en')))
    }
    run.emit({
      type: 'chunk.retried',
      table: 'iot/readings',
      chunk: 'v41000..v42000',
      attempt: 2,
      waitMs: 1200,
      error: { code: 'TARGET_BUSY', message: 'database is locked', retryable: true },
    })
    await app.until('TARGET_BUSY: try 2')
    await golden('run', app)
    expect(app.screen()).toContain('52 %')
    run.finish(1, {
      error: { code: 'TABLES_FAILED', message: '1 of 14 tables failed', retryable: false, hint: 'see the tables' },
      resumeCommand: 'sluice batch-import ./lake',
    })
    await app.until('failed, exit 1')
    await golden('run-failed', app)
    await app.press(['esc'], 'STARTED')
    await golden('runs', app)
  })

  it('compares', async () => {
    const app = start(size)
    await app.until('213')
    await app.press(['c'], 'SQL wins 8')
    await app.press(['j', 'j', 'j'], '› files of one partition')
    await golden('compare', app)
    await app.press(['4'], 'lines kept')
    await golden('log', app)
  })

  it('asks before it quits during a run', async () => {
    const app = start({ ...size, fake: fakeWorkbench({ hold: true }) })
    await app.until('213')
    await app.press(['/', 'finance/rates', 'enter', 'i'], 'enter starts')
    await app.press(['enter'], 'planning')
    await app.press(['1', 'esc', 'q'], 'A run is active')
    await golden('quit', app)
  })
})

it('shows whole figures of a comparison in 60 columns', async () => {
  const app = start({ columns: 60, rows: 20 })
  await app.until('213')
  await app.press(['c'], 'SQL wins 8')
  await app.settled()
  expectGolden('compare-60x20', app.screen())
})

it('reports a terminal that is too small, where keys do nothing', async () => {
  const app = start({ columns: 32, rows: 8 })
  await app.until('Too small for sluice: 32×8.')
  expectGolden('too-small-32x8', app.screen())
  app.type('q', 'i', 'r')
  await new Promise((resolve) => setTimeout(resolve, 30))
  app.resize(80, 24)
  await app.until('213')
  expect(app.screen()).not.toContain('Import')
})

it('draws with ASCII characters only with --ascii', async () => {
  const app = start({ columns: 80, rows: 24, ascii: true })
  await app.until('213')
  expectGolden('ascii-80x24', app.screen())
  expect(app.screen()).toMatch(/^[\x20-\x7e\n]*$/)
})

it('uses 80×24 if the terminal reports 0×0', async () => {
  const app = start({ unsized: true })
  await app.until('213')
  await app.settled()
  expect(app.row(24)).toContain('? keys')
  expect(app.row(1)).toMatch(/idle$/)
})

describe.each([
  [80, 24],
  [120, 40],
  [60, 20],
])('a folder without a lake at %i×%i', (columns, rows) => {
  const folderWith = (files: boolean) => {
    const fake = fakeWorkbench()
    const all = fake.tables.bind(fake)
    return Object.assign(fake, { tables: async () => (await all()).filter(({ kind }) => files && kind === 'database') })
  }
  it('shows the next steps below the found databases', async () => {
    const stores = [{ name: '$DATABASE_URL', url: 'postgresql://app@db/shop' }]
    const app = start({ columns, rows, fake: folderWith(true), stores })
    await app.until('No Delta table was found here')
    await app.settled()
    expectGolden(`start-found-${columns}x${rows}`, app.screen())
    // The keys do what the text promises.
    await app.press(['a'], 'add (path or URL)')
    await app.press(['esc', ':'], 'add a store: path or URL')
  })
  it('shows the next steps if nothing was found, until a store is open or a filter is set', async () => {
    const app = start({ columns, rows, fake: folderWith(false) })
    await app.until('sluice demo')
    await app.settled()
    expectGolden(`start-nothing-${columns}x${rows}`, app.screen())
    await app.press(['/', 'x', 'enter'], (screen) => !screen.includes('sluice demo'))
  })
})
