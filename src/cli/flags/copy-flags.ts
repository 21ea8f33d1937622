/** Flags shared by `copy` and `diff`: tables, columns, names, source and target. */
import { OBJECT_OPTIONS, type ObjectOptions } from '../../model/copy/schema-object.ts'
import { defaultNumber } from '../../app/operations/facts.ts'
import type { DiffOperation } from '../../engine/copy/operations/diff/declaration.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import { given, givenList, givenCount, givenText, type Arguments } from '../parse/arguments.ts'
import { confProperty, readPropertiesFile } from '../cdm/properties-file.ts'
import { IDLE_FLAG, jobOf } from '../cdm/submit.ts'
import { cdmOptions, type CdmOptions } from '../cdm/options.ts'
import type { RequestContext } from '../commands/command.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { requiredStore, type GivenStore } from './copy-stores.ts'
import { splitNames, splitRename } from './name-list.ts'
import { scriptOptions, type GivenScriptOptions } from '../config/script-variables.ts'

/** Objects of `--with`. @returns undefined if none is given @throws SluiceError BAD_FLAG, BAD_CONFIG */
export function readObjects(args: Arguments, defaults: ConfigDefaults): readonly ObjectOptions[] | undefined {
  const flags = givenList(args, 'with').flatMap((word) => splitNames('--with', word))
  const words = flags.length > 0 ? flags : configNames('with', defaults.with)
  if (words.length === 0) return undefined
  const odd = words.find((word) => word !== 'all' && !OBJECT_OPTIONS.some((options) => options === word))
  if (odd !== undefined) {
    throw new SluiceError(flags.length > 0 ? 'BAD_FLAG' : 'BAD_CONFIG', `--with ${odd} is not a kind of object`, {
      hint: `give one or more of ${OBJECT_OPTIONS.join(', ')}, or all`,
    })
  }
  return OBJECT_OPTIONS.filter((options) => words.includes('all') || words.includes(options))
}

export type Selection = Pick<
  DiffOperation,
  'from' | 'to' | 'tables' | 'exclude' | 'toSchema' | 'toTable' | 'columns' | 'rename' | 'where' | 'key' | 'workers'
>

/** Source and target of a copy or diff. */
export type CopyStoreUrls = { readonly from: GivenStore; readonly to: GivenStore }

export type Selected = {
  readonly selection: Selection
  readonly storeUrls: CopyStoreUrls
  /** Options from variables of the resumable script; null if they name neither source nor target, and are ignored. */
  readonly script: GivenScriptOptions | null
  /** Options from properties of the Cassandra Data Migrator; null if there are none. */
  readonly cdm: CdmOptions | null
  /** Flags for the printed command that were not typed. */
  readonly add: readonly string[]
}

/** @throws SluiceError BAD_FLAG, BAD_CONFIG */
export function readSelection(args: Arguments, { env, defaults }: RequestContext): Selected {
  const cdm = readCdm(args)
  const storeUrls = {
    from: requiredStore('from', args, defaults, env, cdm?.from),
    to: requiredStore('to', args, defaults, env, cdm?.to),
  }
  const scripted = [storeUrls.from, storeUrls.to].filter(({ origin }) => origin === 'script')
  const script = scripted.length === 0 ? null : scriptOptions(env)
  const named = namedTables(args, defaults)
  const byCdm = named.length === 0 && cdm?.table !== undefined ? cdm : null
  const fallback = named.length === 0 && byCdm === null ? script?.table : undefined
  const tables = byCdm?.table !== undefined ? [byCdm.table] : fallback === undefined ? named : [fallback]
  if (tables.length === 0) {
    throw new SluiceError('BAD_FLAG', 'no table is named', {
      hint: "add --table NAME, or --tables 'public.*' for all matching ones; sluice discover URL lists them",
    })
  }
  const exclude = givenList(args, 'exclude').flatMap((word) => splitNames('--exclude', word))
  const columns = namesOf(args, defaults, 'columns')
  const key = namesOf(args, defaults, 'key')
  const selection: Selection = {
    from: storeUrls.from.url,
    to: storeUrls.to.url,
    tables,
    ...(exclude.length === 0 ? {} : { exclude }),
    ...given('toSchema', givenText(args, 'to-schema') ?? byCdm?.toSchema ?? defaults['to-schema']),
    ...given('toTable', givenText(args, 'to-table') ?? byCdm?.toTable ?? defaults['to-table']),
    ...given('columns', columns),
    rename: Object.fromEntries([
      ...Object.entries(defaults.rename ?? {}),
      ...Object.entries(cdm?.rename ?? {}),
      ...givenList(args, 'rename').map((word) => splitRename('--rename', word)),
    ]),
    ...given('where', givenText(args, 'where') ?? cdm?.where ?? defaults.where),
    ...given('key', key),
    workers: givenCount(args, 'workers', 1, 64) ?? defaults.workers ?? defaultNumber('copy', 'workers'),
  }
  const add = scripted.map(({ printed }) => printed)
  if (fallback !== undefined) add.push(`--table ${shellQuote(fallback)}`)
  return { selection, storeUrls, script, cdm, add }
}

/**
 * `--properties`, `--conf`, `--class`: options of the Cassandra Data Migrator, with lower priority than flags.
 * @returns null if none of these flags is given
 * @throws SluiceError BAD_FLAG, BAD_CONFIG
 */
function readCdm(args: Arguments): CdmOptions | null {
  const file = givenText(args, 'properties')
  const conf = givenList(args, 'conf')
  const job = givenText(args, 'class')
  const idle = givenList(args, IDLE_FLAG)
  if (file === undefined && conf.length === 0 && job === undefined) {
    if (idle.length === 0) return null
    throw new SluiceError('BAD_FLAG', `${idle.join(', ')} requires --class or --properties`, {
      hint: `add one of the two, or remove ${idle.join(', ')}`,
    })
  }
  const properties = [...(file === undefined ? [] : readPropertiesFile(file)), ...conf.map(confProperty)]
  const options = cdmOptions(properties, job !== undefined && jobOf(job).ysql)
  if (idle.length === 0) return options
  const words = [...new Set(idle)].map((word) => (/\.jar$/i.test(word) ? word : `--${word}`))
  return { ...options, notes: [...options.notes, `options of Spark, without effect here: ${words.join(', ')}`] }
}

/** Table names from flags or the config file. `--table` takes one name as it is, including commas. */
function namedTables(args: Arguments, defaults: ConfigDefaults): readonly string[] {
  const flags = [
    ...givenList(args, 'table', '--table'),
    ...givenList(args, 'tables').flatMap((word) => splitNames('--tables', word)),
  ]
  if (flags.length > 0) return flags
  const { table = [], tables } = defaults
  return [...(typeof table === 'string' ? [table] : table), ...configNames('tables', tables)]
}

function namesOf(args: Arguments, defaults: ConfigDefaults, flag: 'columns' | 'key'): readonly string[] | undefined {
  const flags = givenList(args, flag).flatMap((word) => splitNames(`--${flag}`, word))
  const names = flags.length > 0 ? flags : configNames(flag, defaults[flag])
  return names.length === 0 ? undefined : names
}

/** Names of a key in the config file: a list has one name per item, and a single text may contain several. */
export function configNames(key: string, names: string | readonly string[] | undefined): readonly string[] {
  if (names === undefined) return []
  return typeof names === 'string' ? splitNames(key, names) : names
}
