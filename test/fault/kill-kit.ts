/**
 * Children that kill themselves at a write transaction: run as a process that may be killed, or here, where nothing
 * kills them.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { ON_SERVER } from '../support/backend.ts'

type Words = readonly (string | number)[]

export type Child = {
  /** In its own process. @returns number of its writes, or that it was killed */
  run(...words: Words): number | 'killed'
  /** In this process, because starting one takes longer than the work. @returns number of its writes */
  here(...words: Words): Promise<number>
}

/** @param name file in this folder that exports `work` */
export async function childOf(name: string): Promise<Child> {
  const file = resolve(import.meta.dirname, name)
  const { work } = (await import(file)) as { readonly work: (...words: readonly string[]) => Promise<number> }
  return {
    run(...words) {
      const child = spawnSync(process.execPath, [file, ...words.map(String)], { encoding: 'utf8' })
      if (child.signal === 'SIGKILL') return 'killed'
      if (child.status !== 0) throw new Error(child.stderr)
      return Number(child.stdout.trim().split(' ')[1])
    },
    here: (...words) => work(...words.map(String)),
  }
}

/** Copies a catalog that no program has open. @returns false on a server, whose catalogs are not files */
export function copyCatalog(from: string, to: string): boolean {
  if (ON_SERVER) return false
  for (const end of ['', '-wal', '.wal']) if (existsSync(from + end)) cpSync(from + end, to + end)
  return true
}
