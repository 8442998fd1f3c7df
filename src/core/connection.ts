/** How connecting a marketplace account ended. */
export type Connected =
  | { kind: 'connected'; channel: string }
  | { kind: 'invalid-state'; why: 'unknown' | 'expired' | 'used' | 'several' }
  /** The marketplace said no, on its page or when the code was exchanged; its word for it. */
  | { kind: 'refused'; word: string }
  /** The seller signed in with another account than the one that was asked for; nothing was kept. */
  | { kind: 'other-account'; channel: string }
  /** No answer to the exchange: the code may be spent, so only a new start helps. */
  | { kind: 'unanswered' }
  /** The audit log cannot be written, so nothing was connected. */
  | { kind: 'unaudited' }

export type Language = 'en' | 'es'

export interface Words {
  title: string
  /** What it means and what to do next. */
  text: string
}

const AGAIN = { en: 'Start again with `rosh auth mercadolibre`.', es: 'Empiece de nuevo con `rosh auth mercadolibre`.' }

/** How the connection of an account ended, for the person who sits before the browser or the terminal. */
export function connectionWords(connected: Connected, language: Language): Words {
  const say = (en: [string, string], es: [string, string]): Words => {
    const [title, text] = language === 'es' ? es : en
    return { title, text: text === '' ? AGAIN[language] : text }
  }
  switch (connected.kind) {
    case 'connected':
      return say(
        ['Account connected', `${connected.channel} is connected. What waited for it goes out by itself.`],
        ['Cuenta conectada', `${connected.channel} está conectada. Lo que esperaba sale solo.`],
      )
    case 'refused':
      return refused(connected.word, language)
    case 'other-account':
      return say(
        [
          'Another account answered',
          `You are signed in as ${connected.channel}, which is not the account that was asked for. Nothing was kept. Sign out of MercadoLibre and start again.`,
        ],
        [
          'Respondió otra cuenta',
          `Inició sesión como ${connected.channel}, que no es la cuenta pedida. No se guardó nada. Cierre sesión en MercadoLibre y empiece de nuevo.`,
        ],
      )
    case 'invalid-state':
      return invalid(connected.why, language)
    case 'unanswered':
      return say(
        ['MercadoLibre did not answer', `The permission could not be exchanged and may be spent. ${AGAIN.en}`],
        ['MercadoLibre no respondió', `El permiso no se pudo canjear y puede estar gastado. ${AGAIN.es}`],
      )
    case 'unaudited':
      return say(
        ['Nothing was connected', `The audit log cannot be written. ${AGAIN.en}`],
        ['No se conectó nada', `No se puede escribir la auditoría. ${AGAIN.es}`],
      )
  }
}

function invalid(why: string, language: Language): Words {
  if (why === 'several') {
    return language === 'es'
      ? {
          title: 'Falta la dirección completa',
          text: 'Hay varias conexiones empezadas: pegue la dirección completa a la que fue enviado, no solo el código.',
        }
      : {
          title: 'The whole address is needed',
          text: 'Several connections were started: paste the whole address you were sent back to, not the code alone.',
        }
  }
  return language === 'es'
    ? {
        title: 'Este enlace ya no vale',
        text: `Se usó antes, venció (duran 10 minutos) o es de otro intento. No se conectó nada. ${AGAIN.es}`,
      }
    : {
        title: 'This link is not valid',
        text: `It was used before, has expired (they last 10 minutes), or belongs to another attempt. Nothing was connected. ${AGAIN.en}`,
      }
}

const REFUSALS: Record<string, Record<Language, string>> = {
  access_denied: {
    en: `The access was not allowed on MercadoLibre's page. ${AGAIN.en}`,
    es: `No se dio el permiso en la página de MercadoLibre. ${AGAIN.es}`,
  },
  invalid_operator_user_id: {
    en: 'This user is a collaborator of the account. Sign in to MercadoLibre as its main (administrator) user and start again.',
    es: 'Este usuario es colaborador de la cuenta. Inicie sesión en MercadoLibre con el usuario principal (administrador) y empiece de nuevo.',
  },
  invalid_grant: {
    en: `MercadoLibre did not accept the code: it is used or expired, ML_REDIRECT_URI is not the registered one, or the seller must complete data there. ${AGAIN.en}`,
    es: `MercadoLibre no aceptó el código: está usado o vencido, ML_REDIRECT_URI no es la registrada, o el vendedor debe completar datos allí. ${AGAIN.es}`,
  },
  invalid_client: {
    en: 'MercadoLibre does not know the application: check ML_CLIENT_ID and ML_CLIENT_SECRET.',
    es: 'MercadoLibre no reconoce la aplicación: revise ML_CLIENT_ID y ML_CLIENT_SECRET.',
  },
}

function refused(word: string, language: Language): Words {
  const known = REFUSALS[word]?.[language]
  const title = language === 'es' ? 'MercadoLibre no dio el acceso' : 'MercadoLibre did not give access'
  const answered = language === 'es' ? `MercadoLibre respondió ${word}.` : `MercadoLibre answered ${word}.`
  return { title, text: `${answered} ${known ?? AGAIN[language]}` }
}
