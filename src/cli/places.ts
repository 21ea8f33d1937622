/** Options that take a file or folder of this machine: a URL there would become a folder with a colon in its name. */
import { urlScheme } from '../model/lake-url.ts'
import { SluiceError } from '../shared/errors.ts'
import type { Arguments } from './arguments.ts'

/** By option; where an option means a place in some commands only, their names. */
export const LOCAL_PLACES: Readonly<
  Record<string, { readonly takes: 'file' | 'folder'; readonly of?: readonly string[] }>
> = {
  config: { takes: 'file' },
  'log-file': { takes: 'file' },
  report: { takes: 'file' },
  settings: { takes: 'file' },
  properties: { takes: 'file' },
  dir: { takes: 'folder' },
  to: { takes: 'folder', of: ['export-log'] },
}

/** @throws SluiceError BAD_FLAG for a URL where a file or folder of this machine belongs */
export function refuseRemotePlaces(command: string, args: Arguments): void {
  for (const [option, { takes, of }] of Object.entries(LOCAL_PLACES)) {
    const value = args[option]
    if (typeof value !== 'string' || (of !== undefined && !of.includes(command))) continue
    const scheme = urlScheme(value)
    if (scheme === null) continue
    throw new SluiceError('BAD_FLAG', `--${option} takes a ${takes} of this machine, and no ${scheme}: URL`, {
      where: value,
      hint: `name a ${takes} by its path; what is written there can be copied to another place afterwards`,
    })
  }
}
