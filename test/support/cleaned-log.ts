/** Logs after cleanup: a checkpoint with the state of the commits up to it, and those commits deleted. */
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commitName } from '../../src/delta/log-path.ts'
import type { Line } from './catalog-kit.ts'

type Keyed = Readonly<Record<string, unknown>>

/** Rows of the checkpoint of a version, from a plain replay of the lines; files are identified by path alone. */
export function checkpointOf(commits: readonly (readonly Line[])[], version: number): readonly Line[] {
  const single = new Map<string, Line>()
  const keyed = new Map<string, Line>()
  for (const line of commits.slice(0, version + 1).flat()) {
    const [kind = '', value] = Object.entries(line)[0] ?? []
    const said = value as Keyed
    if (kind === 'protocol' || kind === 'metaData') single.set(kind, line)
    else if (kind === 'txn') keyed.set(`txn ${String(said['appId'])}`, line)
    else if (kind === 'domainMetadata') keyed.set(`domain ${String(said['domain'])}`, line)
    else if (kind === 'add') {
      keyed.delete(`file ${String(said['path'])}`)
      keyed.set(`file ${String(said['path'])}`, { add: { ...said, dataChange: false } })
    } else if (kind === 'remove') keyed.delete(`file ${String(said['path'])}`)
  }
  const rows = [...keyed.values()].filter((line) => (line['domainMetadata'] as Keyed | undefined)?.['removed'] !== true)
  return [...single.values(), ...rows, { checkpointMetadata: { version } }]
}

/** Writes a V2 checkpoint in JSON, one second older than the next commit. */
export function writeCheckpoint(table: string, version: number, lines: readonly Line[]): void {
  const folder = join(table, '_delta_log')
  mkdirSync(folder, { recursive: true })
  const digits = String(version).padStart(20, '0')
  const file = join(folder, `${digits}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`)
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  utimesSync(file, 1_700_000_000 + version, 1_700_000_000 + version)
}

export function dropCommits(table: string, from: number, to: number): void {
  for (let version = from; version <= to; version++) {
    rmSync(join(table, '_delta_log', commitName(version)), { force: true })
  }
}
