/** `--metrics [HOST:]PORT`: where Prometheus asks how a run does. */
import { SluiceError } from '../shared/errors.ts'

/**
 * @property host null: this machine alone @property isAsked whether it stands on the command line, and not in the
 * config file alone
 */
export type MetricsWish = { readonly host: string | null; readonly port: number; readonly isAsked: boolean }

/** A name, an address, or an IPv6 address in brackets. */
const ADDRESS = /^(?:(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([A-Za-z0-9_.-]+)):)?(\d{1,5})$/
const MOST = 65_535

/**
 * @param word of the command line @param configured what the config file says
 * @returns null where neither asks for it
 * @throws SluiceError BAD_FLAG
 */
export function metricsWish(word: string | undefined, configured: string | number | undefined): MetricsWish | null {
  const text = word ?? configured?.toString()
  if (text === undefined) return null
  const [, v6, name, digits = ''] = ADDRESS.exec(text.trim()) ?? []
  const port = Number(digits)
  if (digits === '' || port > MOST) {
    const flag = word === undefined ? 'metrics of the config file' : '--metrics'
    throw new SluiceError('BAD_FLAG', `${flag} takes a port, or HOST:PORT, and not ${text}`, {
      hint: 'write --metrics 9464 for this machine alone, 10.0.0.5:9464 or [fd00::5]:9464 for others, 0 for a free port',
    })
  }
  return { host: v6 ?? name ?? null, port, isAsked: word !== undefined }
}
