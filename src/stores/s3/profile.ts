/** Reads `~/.aws/credentials` and `~/.aws/config`, as far as needed to read a bucket. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** Settings of one profile; the credentials file overrides the config file. */
export type Profile = {
  readonly name: string
  readonly settings: ReadonlyMap<string, string>
  readonly files: { readonly filepath: string; readonly configFilepath: string }
}

/**
 * Reads the profile that the environment names, or `default` if it names none. A missing file is treated as empty.
 * @throws SluiceError BAD_CONFIG if AWS_PROFILE names a profile that is in neither file
 */
export async function readProfile(env: Env): Promise<Profile> {
  const named = presentText(env['AWS_PROFILE'])
  const name = named ?? 'default'
  const folder = join(presentText(env['HOME']) ?? homedir(), '.aws')
  const files = {
    filepath: presentText(env['AWS_SHARED_CREDENTIALS_FILE']) ?? join(folder, 'credentials'),
    configFilepath: presentText(env['AWS_CONFIG_FILE']) ?? join(folder, 'config'),
  }
  const [credentials, config] = await Promise.all([sections(files.filepath), sections(files.configFilepath)])
  const own = credentials.get(name)
  const general = config.get(name === 'default' ? 'default' : `profile ${name}`) ?? config.get(`profile ${name}`)
  if (named !== undefined && own === undefined && general === undefined) {
    throw new SluiceError('BAD_CONFIG', `the AWS profile ${name} was not found in the settings files`, {
      hint: 'check AWS_PROFILE, and AWS_SHARED_CREDENTIALS_FILE or AWS_CONFIG_FILE if they are set',
    })
  }
  return { name, files, settings: new Map([...(general ?? []), ...(own ?? [])]) }
}

/** Returns the trimmed text; undefined if it is blank, because an unset variable is often passed on as an empty one. */
export function presentText(value: string | undefined): string | undefined {
  const trimmed = value?.trim()
  return trimmed === '' ? undefined : trimmed
}

/** `[name]` sections of an ini file. Skips indented lines: they are nested settings that are not needed here. */
async function sections(file: string): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const found = new Map<string, Map<string, string>>()
  let current: Map<string, string> | null = null
  for (const line of (await textOf(file)).split(/\r?\n/)) {
    const heading = /^\s*\[\s*(.+?)\s*\]/.exec(line)
    if (heading !== null) {
      const name = (heading[1] ?? '').replace(/^profile\s+/, 'profile ').replaceAll(/["']/g, '')
      current = found.get(name) ?? new Map<string, string>()
      found.set(name, current)
      continue
    }
    const setting = /^([\w.-]+)\s*=\s*(.*?)\s*$/.exec(line)
    if (setting === null || current === null) continue
    current.set((setting[1] ?? '').toLowerCase(), (setting[2] ?? '').replace(/\s[#;].*$/, ''))
  }
  return found
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return ''
    throw new SluiceError('BAD_CONFIG', 'an AWS settings file cannot be read', {
      where: file,
      reason: code ?? 'it is not a text file',
      hint: 'correct the file, or name another one with AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE',
      cause: error,
    })
  }
}
