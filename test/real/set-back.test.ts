/** Stores that must agree are tried with one of them set back to each earlier step: what comes of it is the table of docs/dev/set-back.md, and no row is lost in silence. */
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../src/engine/operations/list.ts'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { copyOf, makePlace, perform, type Place } from '../support/copy-systems.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/dev/set-back.md'), 'utf8')

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-set-back-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Something that can be set back by itself. */
type Side = { readonly name: string; readonly keep: (step: string) => void; readonly setBack: (step: string) => void }

/** The same inode, as a backup has it that is brought back in its place. */
function fileSide(name: string, { url, system }: Place): Side {
  const file = url.slice(`${system}:///`.length)
  const kept = (step: string): string => `${file}.${step}`
  return {
    name,
    keep: (step) => {
      rmSync(kept(step), { force: true })
      if (!existsSync(file)) return
      const database = new Database(file)
      database.pragma('wal_checkpoint(TRUNCATE)')
      database.close()
      copyFileSync(file, kept(step))
    },
    setBack: (step) => {
      for (const tail of ['-wal', '-shm']) rmSync(`${file}${tail}`, { force: true })
      // Emptied, it is the same file.
      if (existsSync(kept(step))) copyFileSync(kept(step), file)
      else if (existsSync(file)) truncateSync(file)
    },
  }
}

/** @param isIn whether a path below the folder belongs to the side */
function folderSide(name: string, of: string, isIn: (path: string) => boolean): Side {
  const below = (root: string) => (path: string) => path === root || isIn(path.slice(root.length + 1))
  const copy = (from: string, to: string): void => {
    if (existsSync(from)) cpSync(from, to, { recursive: true, filter: below(from) })
  }
  return {
    name,
    keep: (step) => {
      copy(of, `${of}.${name}.${step}`)
      mkdirSync(`${of}.${name}.${step}`, { recursive: true })
    },
    setBack: (step) => {
      const rest = `${of}.rest`
      if (existsSync(of))
        cpSync(of, rest, { recursive: true, filter: (path) => path === of || !isIn(path.slice(of.length + 1)) })
      rmSync(of, { recursive: true, force: true })
      copy(rest, of)
      if (existsSync(rest)) cpSync(rest, of, { recursive: true })
      cpSync(`${of}.${name}.${step}`, of, { recursive: true })
      rmSync(rest, { recursive: true, force: true })
    },
  }
}

type Step = { readonly name: string; readonly operation: Operation; readonly before?: () => Promise<void> }

type Pair = {
  readonly about: string
  readonly sides: readonly Side[]
  readonly steps: readonly Step[]
  /** Brings everything to the end that its user wants, by the commands that errors name. @returns codes of what was refused on the way */
  readonly settle: () => Promise<readonly string[]>
  /** Whether every row is where it should be. */
  readonly isWhole: () => Promise<boolean>
}

/** @returns lines of the table: pair, side, from, to, what came of it */
async function tried({ about, sides, steps, settle, isWhole }: Pair): Promise<readonly string[]> {
  const every = (what: 'keep' | 'setBack', step: string): void => {
    for (const side of sides) side[what](step)
  }
  every('keep', 'nothing')
  const done = ['nothing']
  const lines: string[] = []
  for (const { name, operation, before } of steps) {
    await before?.()
    expect((await perform(operation)).finished.error, `${about}: ${name}`).toBeUndefined()
    every('keep', name)
    for (const side of sides) {
      for (const earlier of done) {
        every('setBack', name)
        side.setBack(earlier)
        const refused = await settle()
        const where = `${about}: ${side.name} from ${name} back to ${earlier}`
        if (await isWhole()) {
          lines.push(`${about} | ${side.name} | ${name} | ${earlier} | ${['whole', ...refused].join(', ')}`)
          continue
        }
        // What is not whole has been said, and nothing else was destroyed: as soon as that side is there again, all rows are.
        expect(refused, where).not.toEqual([])
        side.setBack(name)
        await settle()
        expect(await isWhole(), `${where}, and there again`).toBe(true)
        lines.push(`${about} | ${side.name} | ${name} | ${earlier} | ${['refused', ...refused].join(', ')}`)
      }
    }
    every('setBack', name)
    done.push(name)
  }
  return lines
}

const codeOf = async (operation: Operation): Promise<readonly string[]> => {
  const { finished } = await perform(operation)
  return finished.error === undefined ? [] : [finished.error.code]
}

/** Lines of the page that begin with a pair. */
function written(about: string): readonly string[] {
  return PAGE.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim())
    return cells[1] === about ? [cells.slice(1, -1).join(' | ')] : []
  })
}

test('archive: ledger with its source, log, files', { timeout: 600_000 }, async () => {
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'to'), 12)
  const { run, drop, restore, sweep } = commandsOf(made)
  const { place, archive } = made
  const adopt: Operation = {
    kind: 'archive-adopt',
    from: place.url,
    table: TABLE,
    confirm: TABLE,
    accept: [],
    dryRun: false,
  }
  const all = await place.rows(`SELECT * FROM ${TABLE} ORDER BY id`)
  const sweeping = { ...sweep, retentionMs: 0 } as Operation
  const isLog = (path: string): boolean => path.startsWith('_delta_log')
  const lines = await tried({
    about: 'archive',
    sides: [
      fileSide('ledger and source', place),
      folderSide('log', archive, isLog),
      folderSide('files', archive, (path) => !isLog(path)),
    ],
    steps: [
      { name: 'run', operation: run },
      { name: 'drop', operation: drop },
      { name: 'restore', operation: restore },
      { name: 'run again', operation: { ...run, partitions: ['2020-Q1', '2020-Q2'] } as Operation },
      { name: 'drop again', operation: drop },
      { name: 'sweep', operation: sweeping },
    ],
    settle: async () => {
      const refused: string[] = []
      // Whatever may be destroyed goes first.
      for (const one of [sweeping, restore, adopt, sweeping, restore]) {
        if (one === adopt && refused.length === 0) continue
        for (const code of await codeOf(one)) if (!refused.includes(code)) refused.push(code)
      }
      return refused
    },
    isWhole: async () => JSON.stringify(await place.rows(`SELECT * FROM ${TABLE} ORDER BY id`)) === JSON.stringify(all),
  })
  expect(lines).toEqual(written('archive'))
})

test(
  'archive that another database went on with: both ledgers with their sources, log, files',
  { timeout: 600_000 },
  async () => {
    const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'moved'), 12)
    const { place: first, archive } = made
    const second: Place = { ...first, url: `sqlite:///${join(folder, 'second.db')}` }
    const [ofFirst, ofSecond] = [commandsOf(made), commandsOf({ ...made, place: second })]
    const adopt = ({ url }: Place): Operation => ({
      kind: 'archive-adopt',
      from: url,
      table: TABLE,
      confirm: TABLE,
      accept: [],
      dryRun: false,
    })
    const all = await first.rows(`SELECT * FROM ${TABLE} ORDER BY id`)
    const isLog = (path: string): boolean => path.startsWith('_delta_log')
    const fileOf = ({ url }: Place): string => url.slice('sqlite:///'.length)
    const lines = await tried({
      about: 'moved',
      sides: [
        fileSide('first ledger and source', first),
        fileSide('second ledger and source', second),
        folderSide('log', archive, isLog),
        folderSide('files', archive, (path) => !isLog(path)),
      ],
      steps: [
        { name: 'drop', operation: ofFirst.drop },
        {
          name: 'move',
          before: async () => {
            const database = new Database(fileOf(first))
            database.pragma('wal_checkpoint(TRUNCATE)')
            database.close()
            copyFileSync(fileOf(first), fileOf(second))
          },
          operation: adopt(second),
        },
        { name: 'restore there', operation: ofSecond.restore },
      ],
      settle: async () => {
        const refused: string[] = []
        const sweeps = [ofFirst, ofSecond].map(({ sweep }) => ({ ...sweep, retentionMs: 0 }) as Operation)
        // Whatever may be destroyed goes first.
        for (const one of [...sweeps, ofFirst.restore, adopt(first), ...sweeps, ofFirst.restore]) {
          if (one.kind === 'archive-adopt' && refused.length === 0) continue
          if ('from' in one && one.from === second.url && !existsSync(fileOf(second))) continue
          for (const code of await codeOf(one)) if (!refused.includes(code)) refused.push(code)
        }
        return refused
      },
      isWhole: async () =>
        JSON.stringify(await first.rows(`SELECT * FROM ${TABLE} ORDER BY id`)) === JSON.stringify(all),
    })
    expect(lines).toEqual(written('moved'))
  },
)

/** Numbered rows in the source, forty more each time; the target is to have all of them, also those that the source has lost. */
function growing(
  source: Place,
  target: Place,
): { readonly more: () => Promise<void>; readonly count: () => number; readonly isWhole: () => Promise<boolean> } {
  let rows = 0
  const more = async (): Promise<void> => {
    rows += 40
    await source.sql(
      `WITH RECURSIVE n(i) AS (SELECT ${rows - 39} UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO t SELECT i, 'v' || i FROM n`,
    )
  }
  return {
    more,
    count: () => rows,
    isWhole: async () => {
      const [there] = await target.rows('SELECT count(*), sum(id) FROM t')
      return there?.join() === `${rows},${(rows * (rows + 1)) / 2}`
    },
  }
}

test('copy: source, target with its ledger', { timeout: 300_000 }, async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)')
  const { more, isWhole } = growing(source, target)
  const copy = copyOf(source, target, 't', { chunkRows: 10 })
  const lines = await tried({
    about: 'copy',
    sides: [fileSide('source', source), fileSide('target and ledger', target)],
    steps: [
      { name: 'first', operation: copy, before: more },
      { name: 'second', operation: copy, before: more },
    ],
    settle: () => codeOf(copy),
    isWhole,
  })
  expect(lines).toEqual(written('copy'))
})

test('stream: source with its notes of changes, target with its checkpoint', { timeout: 300_000 }, async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('PRAGMA journal_mode = WAL', 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)')
  const { more, isWhole, count } = growing(source, target)
  const copy = copyOf(source, target, 't', { chunkRows: 10, follow: { cdc: 'trigger', until: 'caught-up' } })
  const lines = await tried({
    about: 'stream',
    sides: [fileSide('source', source), fileSide('target and checkpoint', target)],
    steps: [
      { name: 'first', operation: copy, before: more },
      { name: 'second', operation: copy, before: more },
      { name: 'third', operation: copy, before: more },
    ],
    settle: async () => {
      const refused = await codeOf(copy)
      const [has] = await source.rows('SELECT count(*) FROM t').catch(() => [])
      // The way out that a halt names: the target becomes what the source is, so the source has to be whole.
      if (refused.length === 0 || (await isWhole()) || has?.[0] !== String(count())) return refused
      return [...refused, 'then --restart', ...(await codeOf({ ...copy, restart: true }))]
    },
    isWhole,
  })
  expect(lines).toEqual(written('stream'))
})
