/** The text of a new sluice.yaml. */
import { stringify } from 'yaml'
import { shellQuote } from '../../shared/shell.ts'
import type { FoundPlaces, NamedPlace } from './found.ts'

const HEAD = `# Defaults of sluice in this folder and those below it. \`sluice --help\` shows where sluice searches for it; --no-config ignores it.
# Paths are absolute, because the file applies to all folders below. Do not write passwords here: $NAME is replaced by the variable.
`
const FLAGS = `
# Each flag can be set here by its name, as a default:
# parallel: 4
# max-runtime: 2h
# metrics: 9464
# log-file: /var/log/sluice.jsonl
`
const NO_PLACES = `
# Short names for databases, lakes and archives: \`sluice discover app\`, \`sluice copy --from app --to lake\`.
# stores:
#   app: $DATABASE_URL
#   archive: s3://bucket/archive
`

/** The command that lists the content of a place. A lake has its tables in subfolders, so it is listed recursively. */
export function inspectCommand({ name }: NamedPlace): string {
  return `sluice discover ${shellQuote(name)}${name === 'lake' ? ' --recursive' : ''}`
}

/** Commented YAML in the format of the config file. */
export function configText({ places, defaults }: FoundPlaces): string {
  const stores = places.map(
    ({ name, written, description }) => `  # ${description}\n  ${stringify({ [name]: written }, { lineWidth: 0 })}`,
  )
  const [first] = places
  const named =
    first === undefined
      ? NO_PLACES
      : `\n# Short names: \`${inspectCommand(first)}\` lists the content of the first one.\nstores:\n${stores.join('')}`
  const said = Object.entries(defaults).map(([flag, name]) => `${flag}: ${name}\n`)
  const chosen = said.length === 0 ? '' : `\n# Defaults, if the command line does not set them:\n${said.join('')}`
  return HEAD + named + chosen + FLAGS
}
