/** Options that take a file or folder of this machine: a URL there would become a folder with a colon in its name. */
import { urlScheme } from '../model/lake/lake-url.ts'
import { SluiceError } from '../shared/errors.ts'
import type { Arguments } from './arguments.ts'
import { commandNamed } from './command-list.ts'

type LocalPlace = 'file' | 'folder'

/** Of every command. */
const GLOBAL_PLACES: Readonly<Record<string, LocalPlace>> = { config: 'file', 'log-file': 'file' }

/** What a command takes of this machine, by option. */
export function localPlaces(command: string): Readonly<Record<string, LocalPlace>> {
  const own = (commandNamed(command)?.takes ?? []).flatMap(({ name, completes }) =>
    completes === 'file' || completes === 'folder' ? [[name, completes] as const] : [],
  )
  return { ...GLOBAL_PLACES, ...Object.fromEntries(own) }
}

/** @throws SluiceError BAD_FLAG for a URL where a file or folder of this machine belongs */
export function refuseRemotePlaces(command: string, args: Arguments): void {
  for (const [option, takes] of Object.entries(localPlaces(command))) {
    const value = args[option]
    if (typeof value !== 'string') continue
    const scheme = urlScheme(value)
    if (scheme === null) continue
    throw new SluiceError('BAD_FLAG', `--${option} takes a ${takes} of this machine, and no ${scheme}: URL`, {
      where: value,
      hint: `name a ${takes} by its path; what is written there can be copied to another place afterwards`,
    })
  }
}
