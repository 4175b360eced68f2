"""django-oauth-toolkit on a free loopback port, with the clients that the tests ask for.

The first line of standard input is the settings as JSON. The origin is printed once it listens. It
ends when standard input does, and so with the test, however that ends. The working directory is its
own, to keep the database in.
"""

import json
import os
import sys
import threading
from datetime import datetime, timezone
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings
from jwcrypto.jwk import JWK

wanted = json.loads(sys.stdin.readline())


def end_with_the_test():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_the_test, daemon=True).start()


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def address_string(self):
        # Without asking a name server.
        return self.client_address[0]


# The issuer has to be known before Django is set up, and the port before there is an issuer.
server = Server(("127.0.0.1", 0), Quiet)
origin = f"http://127.0.0.1:{server.server_port}"
issuer = f"{origin}/o"

# The servers are reached without TLS, which oauthlib takes for granted.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "db.sqlite3",
            "OPTIONS": {"timeout": 20},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
        "oauth2_provider",
    ],
    # Django's own login form.
    LOGIN_URL="/admin/login/",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": 600,
        "ALLOWED_SCHEMES": ["http", "https"],
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        "DCR_ENABLED": True,
        "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",),
        "DEFAULT_SCOPES": ["read"],
        "OAUTH_DEVICE_VERIFICATION_URI": f"{issuer}/device/",
        "OAUTH_DEVICE_VERIFICATION_URI_COMPLETE": lambda code: f"{issuer}/device/?user_code={code}",
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": issuer,
        "OIDC_RSA_PRIVATE_KEY": JWK.generate(kty="RSA", size=2048)
        .export_to_pem(private_key=True, password=None)
        .decode(),
        "PKCE_REQUIRED": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "ROTATE_REFRESH_TOKEN": True,
        "SCOPES": {
            "introspection": "Introspection",
            "openid": "OpenID Connect",
            "read": "Reading",
            "write": "Writing",
        },
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="of no importance, as nothing outlives the test",
    STATIC_URL="/static/",
    TEMPLATES=[
        {
            "APP_DIRS": True,
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": [
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "django.template.context_processors.request",
                ]
            },
        }
    ],
    USE_TZ=True,
)
django.setup()

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path
from oauth2_provider.models import Application, DeviceGrant
from oauth2_provider.urls import metadata_urlpatterns


def expire(request):
    """The device code for this user code has expired: nobody has to wait for that."""
    codes = DeviceGrant.objects.filter(user_code=request.GET["user_code"])
    codes.update(expires=datetime.fromtimestamp(1, tz=timezone.utc))
    return HttpResponse()


urlpatterns = [
    path("admin/", admin.site.urls),
    path("expire", expire),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("", include((metadata_urlpatterns, "oauth2_provider"), namespace="metadata")),
]

GRANTS = {
    "authorization_code": Application.GRANT_AUTHORIZATION_CODE,
    "client_credentials": Application.GRANT_CLIENT_CREDENTIALS,
    "hybrid": Application.GRANT_OPENID_HYBRID,
    "implicit": Application.GRANT_IMPLICIT,
    "password": Application.GRANT_PASSWORD,
    "urn:ietf:params:oauth:grant-type:device_code": Application.GRANT_DEVICE_CODE,
}

call_command("migrate", verbosity=0)
person = get_user_model().objects.create_superuser(wanted["user"], password=wanted["password"])
for client in wanted["clients"]:
    public = client["authentication"] == "none"
    Application.objects.create(
        algorithm=Application.RS256_ALGORITHM,
        authorization_grant_type=GRANTS[client["grant"]],
        client_id=client["id"],
        client_secret=client["secret"] or "",
        client_type=Application.CLIENT_PUBLIC if public else Application.CLIENT_CONFIDENTIAL,
        name=client["id"],
        redirect_uris=" ".join(wanted["redirect_uris"]),
        user=person,
    )

server.set_app(get_wsgi_application())
print(f"listening {origin}", flush=True)
server.serve_forever()
