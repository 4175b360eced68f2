//! Where a person consents: the system's browser, or something that plays its part.

use core::time::Duration;

use indicatif::ProgressBar;
use oauth2_proto_reqwest::reqwest;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{ClientBuilder, Url, redirect};

use crate::Outcome;

/// Who opens the authorization URL.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Browser {
    /// The system's browser.
    System,
    /// A person who copies the URL.
    Elsewhere,
    /// Nobody: this program presses the button of a consent page by itself.
    AutoConsent,
}

impl Browser {
    /// Visits the authorization URL; the builder makes a browser for want of a real one.
    pub(crate) async fn visit(self, url: &Url, builder: ClientBuilder) -> Outcome<()> {
        match self {
            Self::System => {
                if let Err(error) = open::that_detached(url.as_str()) {
                    println!("   No browser could be opened ({error}). Open the URL yourself.");
                }
                Ok(())
            }
            Self::Elsewhere => Ok(()),
            Self::AutoConsent => consent(url, builder).await,
        }
    }
}

/// Shows that the program waits, while the returned value lives; only on a terminal.
pub(crate) fn waiting(message: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// Loads the consent page, presses its button, and brings the answer to the redirect URI.
async fn consent(url: &Url, builder: ClientBuilder) -> Outcome<()> {
    let browser = builder.redirect(redirect::Policy::none()).build()?;
    browser.get(url.clone()).send().await?.error_for_status()?;
    let pressed = browser
        .post(url.clone())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("decision=allow")
        .send()
        .await?
        .error_for_status()?;
    let location = pressed.headers().get(LOCATION).ok_or("the consent page led nowhere")?;
    browser.get(url.join(location.to_str()?)?).send().await?.error_for_status()?;
    Ok(())
}
