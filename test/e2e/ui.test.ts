/** The real program in a terminal, driven by keys: a whole session at several sizes. */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL } from '../support/backend.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { activeFiles, DEMO_LAKE, latestVersion } from './support/program.ts'
import { closing, endLeftovers, expectRestored, start } from './support/terminal.ts'

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
endLeftovers()
afterAll(() => folder[Symbol.dispose]())

/** The row of a table in the list, which begins with marks and its name. */
const rowOf = (screen: string, name: string): string =>
  screen.split('\n').find((line) => line.slice(0, 3 + name.length).endsWith(name) && !line.startsWith(` ${name}`)) ?? ''

/** Drawing at all sizes is tested without a terminal; the smallest size is enough here. */
const SIZES = [
  [80, 24],
  [120, 40],
  [200, 50],
].filter((_, i) => ALL || i === 0) as [columns: number, rows: number][]
const SLOW = { timeout: 60_000 }

describe('a session', () => {
  it.each(SIZES)('at %i×%i: import, validate, files, compare, roll back, quit', SLOW, async (columns, rows) => {
    const cwd = join(folder.path, `session-${columns}`)
    mkdirSync(cwd)
    cpSync(DEMO_LAKE, join(cwd, 'lake'), { recursive: true, preserveTimestamps: true })
    const orders = join(cwd, 'lake/sales/orders')
    const version = latestVersion(orders)
    const files = activeFiles(orders)
    const app = start(cwd, ['lake', '--database-url', 'sqlite:///catalog.db'], columns, rows)

    await app.until('6 tables')
    expect(app.alternate()).toBe(true)
    expect(app.screen().match(/– not yet/g)?.length).toBeGreaterThanOrEqual(4)
    expect(rowOf(app.screen(), 'legacy/broken')).toContain('✗ log gap')
    expect(rowOf(app.screen(), 'staging/managed')).toContain('⊘ refused')

    await app.press(['*'], '6 marked')
    await app.press(['i'], 'enter starts')
    expect(app.screen()).toContain(`Import 6 tables`)
    expect(app.screen()).toMatch(/legacy\/broken +failed: LOG_GAP/)
    expect(app.screen()).not.toContain('TABLES_FAILED')
    await app.press(['enter'], 'failed, exit 1')
    expect(app.screen()).toContain('done 4 · failed 1 · refused 1')
    await app.press(['1'], (screen) => rowOf(screen, 'sales/orders').includes('✓ current'))
    for (const name of ['crm/customers', 'events/clicks', 'finance/rates']) {
      expect(rowOf(app.screen(), name)).toContain('✓ current')
    }

    await app.press(['esc'], (screen) => !screen.includes('marked'))
    await app.press(['/', 'orders', 'enter'], /filter orders[^]*› sales\/orders/)
    await app.press(['v'], 'ok, exit 0')
    // If the list has no PROVED column, the Overview shows it.
    await app.press(
      ['1'],
      columns === 120 ? `proved    ✓ v${version}` : (screen) => rowOf(screen, 'sales/orders').includes(`✓ v${version}`),
    )
    if (columns !== 120) expect(app.screen()).toContain('PROVED')

    await app.press(['enter'], 'Tables › sales/orders › overview')
    await app.press([']', ']', ']'], `─ ${files.length} files`)
    expect(app.screen()).toContain('[Files]')
    const late = files.filter(({ partitionValues }) => Number(partitionValues['month']) >= 11)
    expect(late.length).toBeGreaterThan(0)
    await app.press(['w', 'month >= 11', 'enter'], `─ ${late.length} files`)
    expect(app.screen()).toContain('w edit · ctrl-u clear')
    await app.press(['w', ' AND', 'enter'], /BAD_PREDICATE|expected/)
    await app.press(['ctrl-u'], `─ ${files.length} files`)

    await app.press(['esc'], 'enter open')
    await app.press(['c'], '[3 Compare]')
    const idle = /^ sluice .* idle *\n/
    // A whole comparison is slow, because each cold answer is a process of its own.
    const whole = ALL && columns === 80
    if (!whole) await app.press(['x'], idle)
    await app.until((screen) => idle.test(screen) && (!whole || screen.includes('every answer is the same')))

    await app.press(['1'], '[1 Tables]')
    await app.press(['r'], 'the log can be imported again completely')
    await app.press(['sales/order', 'tab', 'enter'], 'needs the name')
    await app.press(['s', 'enter'], 'ok, exit 0')
    await app.press(['1'], (screen) => rowOf(screen, 'sales/orders').includes('– not yet'))

    app.type('q')
    expect(await app.ended).toMatchObject({ exitCode: 0 })
    await expectRestored(app)
    const lines = closing(app)
    for (const kind of ['batch-import', 'validate', 'performance-compare', 'rollback'])
      expect(lines).toMatch(new RegExp(`start    ${kind} .*lake`))
    expect(lines).toMatch(/FAILED {3}legacy\/broken/)
    if (whole) expect(lines).toContain('same answer')
    expect(lines.trimEnd().split('\n').at(-1)).toMatch(/exit     0$/)
    // The terminal shows the same text.
    expect(app.screen()).toMatch(/exit     0\s*$/)
  })
})
