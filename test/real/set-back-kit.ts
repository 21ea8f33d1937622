/**
 * Sides of stores that must agree, each restored by itself to each earlier step: lines of the table in
 * docs/dev/set-back.md.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { perform, type Place } from '../support/copy-systems.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/dev/set-back.md'), 'utf8')

/** A store that can be restored by itself. */
export type Side = {
  readonly name: string
  readonly keep: (step: string) => void
  readonly setBack: (step: string) => void
}

/** Keeps the inode, as a backup does that is restored in place. */
export function fileSide(name: string, { url, system }: Place): Side {
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
      // An emptied file is still the same file.
      if (existsSync(kept(step))) copyFileSync(kept(step), file)
      else if (existsSync(file)) truncateSync(file)
    },
  }
}

/** @param isIn whether a path below the folder belongs to the side */
export function folderSide(name: string, of: string, isIn: (path: string) => boolean): Side {
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
  /**
   * Reaches the state that the user wants, by the commands that errors name.
   * @returns codes of refused commands on the way
   */
  readonly settle: () => Promise<readonly string[]>
  /** Whether every row is in its place. */
  readonly isWhole: () => Promise<boolean>
}

/** @returns lines of the table: pair, side, from, to, result */
export async function tried({ about, sides, steps, settle, isWhole }: Pair): Promise<readonly string[]> {
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
        // Every loss was reported, and nothing else was destroyed: when that side is restored, all rows are complete.
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

export const codeOf = async (operation: Operation): Promise<readonly string[]> => {
  const { finished } = await perform(operation)
  return finished.error === undefined ? [] : [finished.error.code]
}

/** Lines of the page that begin with a pair. */
export function written(about: string): readonly string[] {
  return PAGE.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim())
    return cells[1] === about ? [cells.slice(1, -1).join(' | ')] : []
  })
}
