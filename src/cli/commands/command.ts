/** What a file of commands exports for each of its commands. */
import type { Argv } from 'yargs'
import type { CheckFiles, Operation } from '../../engine/operation.ts'
import type { Arguments } from '../arguments.ts'
import type { ConfigDefaults } from '../config.ts'

/** What a command line asks for. */
export type Request =
  | { readonly kind: 'operation'; readonly operation: Operation }
  | { readonly kind: 'demo'; readonly lake: string | null; readonly folder: string }
  | { readonly kind: 'open'; readonly target: string }
  | { readonly kind: 'help'; readonly text: string }

export type RequestContext = {
  /** URL of the catalog. @throws SluiceError BAD_FLAG when there is none */
  readonly catalog: () => string
  readonly optionalCatalog: () => string | undefined
}

export type Command = {
  readonly declare: (yargs: Argv, defaults: ConfigDefaults) => void
  readonly request: (args: Arguments, context: RequestContext) => Request
}

/** The commands of one file, by name. */
export type CommandFileExports = { readonly commands: Readonly<Record<string, Command>> }

export const CHECK_FILES: readonly CheckFiles[] = ['none', 'sample', 'all']

/** The request for an operation. */
export const operate = (operation: Operation): Request => ({ kind: 'operation', operation })

export const TABLE_OPERAND = {
  type: 'string',
  describe: 'path with a _delta_log below it, or a table id of the catalog',
} as const

/** `--exclude`: a list that takes one word each time, or it would swallow the path behind it. */
export function declareExclude(yargs: Argv, defaults: ConfigDefaults): void {
  yargs.option('exclude', {
    array: true,
    string: true,
    nargs: 1,
    requiresArg: true,
    default: defaults.exclude ? [...defaults.exclude] : [],
    defaultDescription: defaults.exclude?.join(', ') ?? 'none',
    describe: 'leave out paths holding this word, or fitting this glob; repeatable',
  })
}

export function declareBatchSize(yargs: Argv, defaults: ConfigDefaults): void {
  yargs.option('batch-size', {
    type: 'number',
    requiresArg: true,
    default: defaults['batch-size'] ?? 10_000,
    describe: 'actions written in one transaction',
  })
}

export function declareImportFlags(yargs: Argv, defaults: ConfigDefaults): void {
  declareBatchSize(yargs, defaults)
  yargs
    .option('dry-run', { alias: 'n', type: 'boolean', default: false, describe: 'show the plan and change nothing' })
    .option('resume', {
      type: 'boolean',
      default: false,
      describe: 'go on where an import stopped; happens without it too',
    })
}

export function declareCheckFiles(yargs: Argv, defaults: ConfigDefaults): void {
  yargs.option('check-files', {
    choices: CHECK_FILES,
    requiresArg: true,
    default: defaults['check-files'] ?? 'sample',
    describe: 'which data files must still be there',
  })
}
