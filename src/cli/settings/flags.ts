/** `--settings` and `--preset`: a copy with the settings of the parallel script for Cassandra. */
import type { CopyOperation } from '../../engine/copy/operations/copy/declaration.ts'
import type { ScriptOptions } from '../../engine/copy/operations/copy/option-types.ts'
import {
  MOST_SCRIPT_WORKERS,
  SCRIPT_PRESETS,
  type ScriptPreset,
  type ScriptSizes,
} from '../../model/copy/script-presets.ts'
import { givenCount, givenText, type Arguments } from '../parse/arguments.ts'
import type { CommandTexts } from '../commands/command.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { batchesByPartition } from '../../engine/run/systems.ts'

/** Log file of the script, in the current folder. */
export const SCRIPT_LOG = 'migrator.log'

const PRESETS = Object.keys(SCRIPT_PRESETS) as ScriptPreset[]

export type Settings = {
  /** Each size is taken from the flags, else from the settings file, else from the preset. */
  readonly sizes: ScriptSizes
  readonly script: ScriptOptions
  /** Notes printed at the beginning of the run. */
  readonly notes: readonly string[]
  readonly warnings: readonly string[]
}

/**
 * @returns null if neither flag is given
 * @throws SluiceError BAD_FLAG, BAD_CONFIG
 */
export async function readSettings(args: Arguments): Promise<Settings | null> {
  const file = givenText(args, 'settings')
  const preset = givenText(args, 'preset')
  if (file === undefined && preset === undefined) return null
  // The library for YAML has 70 modules.
  const read =
    file === undefined ? { values: {}, warnings: [] } : (await import('./settings-file.ts')).readSettingsFile(file)
  const flags: Partial<Record<keyof ScriptSizes, number | undefined>> = {
    workers: givenCount(args, 'workers', 1, MOST_SCRIPT_WORKERS),
    batchRows: givenCount(args, 'batch-rows', 1) ?? givenCount(args, 'batch-size', 1),
    pageRows: givenCount(args, 'page-rows', 1),
  }
  const base = SCRIPT_PRESETS[PRESETS.find((name) => name === preset) ?? 'medium']
  const pick = (name: keyof ScriptSizes): number => flags[name] ?? read.values[name] ?? base[name]
  const sizes = { workers: pick('workers'), batchRows: pick('batchRows'), pageRows: pick('pageRows') }
  const open = NAMES.filter((name) => flags[name] === undefined && read.values[name] === undefined)
  return {
    sizes,
    script: preset === 'auto' && open.length > 0 ? { auto: open } : {},
    notes: [`as the parallel script does: ${sizesText(sizes, preset === 'auto' ? open : [])}`],
    warnings: read.warnings,
  }
}

/**
 * A copy with the behaviour of the parallel script: it overwrites rows of equal key, and no number of failed rows ends
 * it. Flags and the config file still have priority.
 */
export function asScript(
  operation: CopyOperation,
  settings: Settings | null,
  args: Arguments,
  defaults: ConfigDefaults,
): CopyOperation {
  if (settings === null) return operation
  const { sizes, script } = settings
  const set = (name: 'max-aside' | 'on-existing'): boolean => args[name] !== undefined || defaults[name] !== undefined
  const { batchRows: _batchRows, ...rest } = operation
  return {
    ...rest,
    workers: sizes.workers,
    // For Cassandra, the script's batch is `cassandra.batchRows`; `batchRows` are the rows sent to the target at once.
    ...(batchesByPartition(operation.to) ? {} : { batchRows: sizes.batchRows }),
    maxAside: set('max-aside') ? operation.maxAside : Number.MAX_SAFE_INTEGER,
    onExisting: set('on-existing') ? operation.onExisting : 'upsert',
    cassandra: { fallBackToOne: true, ...operation.cassandra, batchRows: sizes.batchRows, pageRows: sizes.pageRows },
    script,
  }
}

export function scriptTexts(reported: CommandTexts, settings: Settings | null): CommandTexts {
  if (settings === null) return reported
  const { notes, warnings } = settings
  return {
    ...reported,
    log: SCRIPT_LOG,
    notes: [...(reported.notes ?? []), ...notes],
    warnings: [...(reported.warnings ?? []), ...warnings],
  }
}

const NAMES = ['workers', 'batchRows', 'pageRows'] as const

function sizesText(sizes: ScriptSizes, open: readonly (keyof ScriptSizes)[]): string {
  const count = (name: keyof ScriptSizes): string => (open.includes(name) ? 'N' : String(sizes[name]))
  const which = open.length === 0 ? '' : '; N depends on the size of the largest table'
  return `${count('workers')} workers, batches of ${count('batchRows')} rows, pages of ${count('pageRows')}${which}`
}
