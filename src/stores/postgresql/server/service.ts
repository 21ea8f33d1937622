/** Settings of a service, as libpq has them. Source: PostgreSQL's manual, "The Connection Service File". */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SluiceError } from '../../../shared/errors.ts'
import { fileText, sectionOf } from '../../common/option-file.ts'
import type { Environment } from './pgpass.ts'

/**
 * What the files say of a service: PGSERVICEFILE or `~/.pg_service.conf`, and then `pg_service.conf` in PGSYSCONFDIR. They are read at each call.
 * @throws SluiceError BAD_CONFIG where no file has the service
 */
export function serviceSettings(service: string, environment: Environment, where: string): ReadonlyMap<string, string> {
  const own = environment['PGSERVICEFILE'] || join(environment['HOME'] || homedir(), '.pg_service.conf')
  const files = [own, ...(environment['PGSYSCONFDIR'] ? [join(environment['PGSYSCONFDIR'], 'pg_service.conf')] : [])]
  for (const file of files) {
    const found = sectionOf(fileText(file) ?? '', service)
    if (found !== null) return found
  }
  throw new SluiceError('BAD_CONFIG', `there is no service ${service} in ${files.join(' or ')}`, {
    where,
    hint: 'correct service= of the URL or PGSERVICE; PGSERVICEFILE names another file',
  })
}
