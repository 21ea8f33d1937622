/** `--metrics [HOST:]PORT`: address of the metrics server for Prometheus. */
import { SluiceError } from '../../shared/errors.ts'

/**
 * @property host address on which the server listens; null: only this machine
 * @property isAsked true if the option is on the command line, not only in the config file
 */
export type MetricsOptions = { readonly host: string | null; readonly port: number; readonly isAsked: boolean }

/** A name, an address, or an IPv6 address in brackets. */
const ADDRESS = /^(?:(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([A-Za-z0-9_.-]+)):)?(\d{1,5})$/
const MOST = 65_535

/**
 * @param word from the command line @param configured value of the config file
 * @returns null if neither is set
 * @throws SluiceError BAD_FLAG
 */
export function metricsOptions(
  word: string | undefined,
  configured: string | number | undefined,
): MetricsOptions | null {
  const text = word ?? configured?.toString()
  if (text === undefined) return null
  const [, v6, name, digits = ''] = ADDRESS.exec(text.trim()) ?? []
  const port = Number(digits)
  if (digits === '' || port > MOST) {
    const flag = word === undefined ? 'metrics of the config file' : '--metrics'
    throw new SluiceError('BAD_FLAG', `${flag} takes a port, or HOST:PORT, not ${text}`, {
      hint: 'write --metrics 9464 for this machine alone, 10.0.0.5:9464 or [fd00::5]:9464 for others, 0 for a free port',
    })
  }
  return { host: v6 ?? name ?? null, port, isAsked: word !== undefined }
}
